-- Who was erased is recognized by an identifier in the record. Once the API no longer shows it (another choice of fields, a mask), the erased
-- interaction would come back. So what was erased is remembered too: each interaction, session and conversation, and each rejected record, as
-- keyed hashes like the others. A value is brought into a normal form before it is hashed; the form has a version, so that hashes of an older
-- one are known as such.

alter table smartassist_sync.erasures
    add column form smallint not null default 1,
    drop constraint erasures_kind_known,
    add constraint erasures_kind_known check (
        kind in ('user_id', 'email', 'phone', 'interaction', 'session', 'conversation', 'rejected_record')
    );

-- "Was anything erased with another key?" (asked by every window; all but a few rows are of one key)
create index erasures_by_key_id on smartassist_sync.erasures (key_id);

comment on table smartassist_sync.erasures is
    'Customers who asked to be forgotten, and what of them was erased. Only keyed hashes are kept, of identifiers and of ids of the API, so that later fetches can leave the records out.';
comment on column smartassist_sync.erasures.kind is
    'What is remembered: the user_id, email or phone that a customer was identified by; an interaction (both ids), session or conversation that was theirs; the text of a rejected_record that was.';
comment on column smartassist_sync.erasures.value_hash is
    'Keyed SHA-256 hash (HMAC) of the identifier in its normal form, or of the account and the id. The value itself is not kept.';
comment on column smartassist_sync.erasures.form is
    'Version of the normal form that the value was brought into before it was hashed. Records are looked up by every version there is.';
comment on column smartassist_sync.erasures.sessions_deleted is
    'Interactions that were deleted on request, with all that belongs to them. 0 where the row is not an identifier of a customer.';
comment on column smartassist_sync.erasures.rejected_records_deleted is
    'Rejected records that were deleted on request. 0 where the row is not an identifier of a customer.';
