-- With another privacy.key nobody in the list would be recognized any more, and the erased would come back without a word. So each entry says
-- which key it was made with, and nothing is stored with another one.

alter table smartassist_sync.erasures add column key_id bytea not null;
alter table smartassist_sync.erasures
    add constraint erasures_key_id_sha256 check (octet_length(key_id) = 32);

comment on column smartassist_sync.erasures.key_id is
    'Tells privacy.key from other keys: a keyed hash of nothing. Windows are stored only under the key of all entries.';
