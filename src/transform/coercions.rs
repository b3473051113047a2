//! What becomes of a value of the API, by kind of column: the table for people.
//!
//! The rules themselves are in `coerce.rs`; the tests below put every example through them, and
//! `docs/data-dictionary.md` shows the table.

/// One kind of column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coercion {
    /// What the kind is called.
    pub name: &'static str,
    /// The type of its columns; for rows, that there is no column.
    pub column_type: &'static str,
    /// The fields that it is for, where the type does not tell. Empty: all others of that type.
    pub only_for: &'static [&'static str],
    /// What is read, in words.
    pub read: &'static str,
    /// What becomes NULL with a warning, in words.
    pub warned: &'static str,
    /// JSON as sent, and what becomes of it in the notation of JSON; NULL is no value. Stamps
    /// were asked for at offset -330, the time of India.
    pub examples: &'static [(&'static str, &'static str)],
}

impl Coercion {
    /// The kind of a column, from its type and the API's name of its field, without the path.
    pub fn of_column(column_type: &str, field: &str) -> Option<&'static Self> {
        COERCIONS.iter().find(|kind| {
            kind.column_type == column_type && (kind.only_for.is_empty() || kind.only_for.contains(&field))
        })
    }
}

/// Every kind of column there is. A kind for some fields comes before the one for all others.
pub const COERCIONS: &[Coercion] = &[
    YES_OR_NO,
    WHOLE_NUMBER,
    INSTANT,
    IDENTITY,
    ID,
    TEXT,
    LIST_OF_TEXTS,
    LIST_OF_ROWS,
    JSON_AS_SENT,
];

const YES_OR_NO: Coercion = Coercion {
    name: "Yes or no",
    column_type: "boolean",
    only_for: &[],
    read: "A boolean, or one of the words true, yes, y, 1 and false, no, n, 0 as text or number; upper and lower \
           case are the same, blanks around it do not count.",
    warned: "Any other word or number, a list, an object.",
    examples: &[
        ("true", "true"),
        (r#""YES""#, "true"),
        (r#"" y ""#, "true"),
        ("0", "false"),
        (r#""False""#, "false"),
        (r#""""#, "NULL"),
        (r#""perhaps""#, "NULL, warning: not a yes or no"),
        ("2", "NULL, warning: not a yes or no"),
        ("[true]", "NULL, warning: not a yes or no"),
    ],
};

const WHOLE_NUMBER: Coercion = Coercion {
    name: "Whole number",
    column_type: "integer",
    only_for: &[],
    read: "A whole number from -2147483648 to 2147483647, also as text (blanks around it do not count) or with a \
           fraction of nothing but zeros.",
    warned: "A fraction, a number beyond that range, any other text, a boolean, a list, an object.",
    examples: &[
        ("7", "7"),
        (r#""7""#, "7"),
        (r#"" -7 ""#, "-7"),
        ("7.0", "7"),
        (r#""7e2""#, "700"),
        (r#""""#, "NULL"),
        ("7.5", "NULL, warning: not a whole number"),
        ("2147483648", "NULL, warning: too large for its column"),
        (r#""00:07""#, "NULL, warning: not a whole number"),
        ("true", "NULL, warning: not a whole number"),
    ],
};

const INSTANT: Coercion = Coercion {
    name: "Instant",
    column_type: "timestamptz",
    only_for: &[],
    read: "A date, or a date and time to the second or finer, with T or a blank between them. With Z or an offset \
           of its own it is what it says; without, it is local at the time zone offset that was asked for \
           (UTC = local + offset; the examples were asked for at -330, the time of India). A date alone is its \
           midnight. Finer than microseconds is cut off; a leap second is the end of the second before.",
    warned: "A date or time that does not exist, a time without seconds, any other text, a number (also seconds or \
             milliseconds since 1970), a boolean, a list, an object.",
    examples: &[
        (r#""2025-09-30T12:04:48""#, "2025-09-30T06:34:48Z"),
        (r#""2025-09-30 2:25:54""#, "2025-09-29T20:55:54Z"),
        (r#""2025-09-30T06:34:48.810Z""#, "2025-09-30T06:34:48.810Z"),
        (r#""2025-09-30T12:04:48+02:00""#, "2025-09-30T10:04:48Z"),
        (r#""2025-09-30""#, "2025-09-29T18:30:00Z"),
        (r#""2016-12-31T23:59:60Z""#, "2016-12-31T23:59:59.999999Z"),
        (r#""""#, "NULL"),
        (r#""2025-02-30T10:00:00""#, "NULL, warning: not a date and time"),
        (r#""2025-09-30T12:04""#, "NULL, warning: not a date and time"),
        ("1759233888000", "NULL, warning: not a date and time"),
    ],
};

const IDENTITY: Coercion = Coercion {
    name: "Identity",
    column_type: "text",
    only_for: &["sessionId", "conversationId"],
    read: "A text without the white space around it, its case kept; or a number, which becomes its digits (1.0 and 1e0 are \
           1). A text of nothing but white space is nothing.",
    warned: "A word that stands for nothing, in any case and with whatever signs around it, since it would make one of many \
             records: undefined, null, nil, none, N/A, NaN, unknown, not available and the like, signs alone, zeros alone \
             (also as a UUID or object id), -1, an id that was blacked out (xxxx), [object Object]. Also a boolean, a list, \
             an object. The other id then identifies the record; one that has none, or one longer than 512 bytes, is \
             rejected.",
    examples: &[
        (r#"" c-66f1a2""#, r#""c-66f1a2""#),
        ("4711", r#""4711""#),
        ("4711.0", r#""4711""#),
        (r#"" ""#, "NULL"),
        (r#""undefined""#, "NULL, warning: stands for nothing"),
        (r#""N/A""#, "NULL, warning: stands for nothing"),
        (r#""-""#, "NULL, warning: stands for nothing"),
        ("0", "NULL, warning: stands for nothing"),
        (
            r#""00000000-0000-0000-0000-000000000000""#,
            "NULL, warning: stands for nothing",
        ),
        (r#"["c-66f1a2"]"#, "NULL, warning: not an id"),
    ],
};

const ID: Coercion = Coercion {
    name: "Id",
    column_type: "text",
    only_for: &["queueId", "agentId"],
    read: "A text as sent, or a number, which becomes its text. The ids of queues and agents are read so; other \
           identifiers are plain text.",
    warned: "A boolean, a list, an object: it would be the id of many. Also an id that is longer than 512 bytes.",
    examples: &[
        (r#""c-66f1a2""#, r#""c-66f1a2""#),
        ("4711", r#""4711""#),
        (r#""""#, "NULL"),
        ("true", "NULL, warning: not an id"),
        (r#"["c-66f1a2"]"#, "NULL, warning: not an id"),
        (r#"{"id":"c-66f1a2"}"#, "NULL, warning: not an id"),
    ],
};

const TEXT: Coercion = Coercion {
    name: "Text",
    column_type: "text",
    only_for: &[],
    read: "A text as sent, blanks and all. A number, a boolean, a list and an object become their JSON text.",
    warned: "Nothing: everything has a text.",
    examples: &[
        (r#""Voice""#, r#""Voice""#),
        (r#"" ""#, r#"" ""#),
        ("7", r#""7""#),
        ("false", r#""false""#),
        (r#"{"a":[1,null]}"#, r#""{\"a\":[1,null]}""#),
        (r#""""#, "NULL"),
        ("[]", "NULL"),
        ("null", "NULL"),
    ],
};

const LIST_OF_TEXTS: Coercion = Coercion {
    name: "List of texts",
    column_type: "text[]",
    only_for: &[],
    read: "A list, each element read as text; a lone value counts as a list of one. An empty element is NULL and \
           keeps its place, since lists may belong together. The column itself is never NULL: nothing, and a list \
           of nothing else, is an empty list.",
    warned: "Nothing: everything has a text.",
    examples: &[
        (r#"["Sale","Callback"]"#, r#"["Sale","Callback"]"#),
        (r#""Sale""#, r#"["Sale"]"#),
        (r#"["Sale",null,"",3]"#, r#"["Sale",null,null,"3"]"#),
        (r#"["",null]"#, "[]"),
        (r#""""#, "[]"),
        ("{}", "[]"),
    ],
};

const LIST_OF_ROWS: Coercion = Coercion {
    name: "List of rows",
    column_type: "rows of a table",
    only_for: &[],
    read: "A list of objects, each of which is a row: destinations, agents, consultations, tags. A lone object counts \
           as a list of one. An element that is null or empty is no row, and the others keep their place.",
    warned: "An element that is no object becomes a row all the same: its columns are NULL, and the element is in \
             extra as value.",
    examples: &[
        (
            r#"[{"name":"A"},{"name":"B"}]"#,
            r#"row 0: {"name":"A"}; row 1: {"name":"B"}"#,
        ),
        (r#"{"name":"A"}"#, r#"row 0: {"name":"A"}"#),
        (
            r#"[{"name":"A"},null,{},{"name":"B"}]"#,
            r#"row 0: {"name":"A"}; row 3: {"name":"B"}"#,
        ),
        (r#"["A"]"#, r#"row 0: {"value":"A"}, warning: not an object"#),
        ("[]", "no row"),
        (r#""""#, "no row"),
    ],
};

const JSON_AS_SENT: Coercion = Coercion {
    name: "JSON as sent",
    column_type: "jsonb",
    only_for: &[],
    read: "Any JSON, as sent. Where the column says that its time stamps are in UTC, a date and time without a zone \
           anywhere inside is replaced by its instant, read as above.",
    warned: "Nothing: all JSON is read.",
    examples: &[
        (
            r#"[{"id":"1","name":"Billing"}]"#,
            r#"[{"id":"1","name":"Billing"}]"#,
        ),
        (r#""Billing""#, r#""Billing""#),
        ("{}", "{}"),
        ("0", "0"),
        ("[]", "NULL"),
        (r#""""#, "NULL"),
    ],
};

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;
    use serde::Serialize;
    use serde_json::{Map, Value, json};

    use super::super::fields::{Fields, Notes};
    use super::*;

    fn json_text(value: Option<impl Serialize>) -> String {
        value.map_or("NULL".to_owned(), |value| serde_json::to_string(&value).unwrap())
    }

    fn rows(fields: &mut Fields<'_>) -> String {
        let rows: Vec<String> = fields
            .objects("it")
            .map(|(index, row)| format!("row {index}: {}", json_text(row.rest())))
            .collect();
        if rows.is_empty() {
            "no row".to_owned()
        } else {
            rows.join("; ")
        }
    }

    /// What becomes of a value in a column of that kind, through the functions that records go
    /// through.
    fn outcome(kind: &Coercion, input: &str) -> String {
        let notes = Notes::new(-330);
        let value: Value = serde_json::from_str(input).unwrap();
        let mut fields = Fields::new("", Map::from_iter([("it".to_owned(), value)]), &notes);
        let mut text = match kind.name {
            "Yes or no" => json_text(fields.flag("it")),
            "Whole number" => json_text(fields.integer("it")),
            "Instant" => fields.instant("it").map_or("NULL".to_owned(), |instant| {
                instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
            }),
            "Identity" => json_text(fields.identity("it")),
            "Id" => json_text(fields.id("it")),
            "Text" => json_text(fields.text("it")),
            "List of texts" => json_text(Some(fields.texts("it"))),
            "List of rows" => rows(&mut fields),
            "JSON as sent" => json_text(fields.json("it")),
            other => panic!("{other} has no function here"),
        };
        for warning in notes.into_parts().0 {
            text += &format!(", warning: {}", warning.split_once(": ").unwrap().1);
        }
        text
    }

    #[test]
    fn every_example_is_what_becomes_of_it() {
        for kind in COERCIONS {
            for (input, becomes) in kind.examples {
                assert_eq!(outcome(kind, input), *becomes, "{}: {input}", kind.name);
            }
        }
    }

    #[test]
    fn every_kind_that_can_warn_shows_a_warning_and_the_others_show_none() {
        for kind in COERCIONS {
            let shows = kind
                .examples
                .iter()
                .any(|(_, becomes)| becomes.contains("warning"));
            assert_eq!(shows, !kind.warned.starts_with("Nothing"), "{}", kind.name);
        }
    }

    #[test]
    fn stamps_without_a_zone_inside_a_structure_become_utc() {
        let notes = Notes::new(-330);
        let sent = json!({"it": {"at": ["2025-09-30T12:04:48"]}});
        let mut fields = Fields::new("", sent.as_object().unwrap().clone(), &notes);
        assert_eq!(
            fields.json_in_utc("it"),
            Some(json!({"at": ["2025-09-30T06:34:48Z"]}))
        );
    }

    #[test]
    fn only_the_fields_listed_as_ids_are_read_as_ids() {
        let sent = json!({
            "sessionId": "s", "conversationId": true, "sessionStartTime": "2025-09-30T12:04:48", "botId": true,
            "userId": true, "orgId": true, "channelSpecificUserId": true,
            "campaigninfo": {"campaignId": true, "campaignInstanceId": true, "campaignDialingListId": true},
            "destinations": [{"queueId": true, "respondingAgent": {"agentId": true}}],
        });
        let notes = Notes::new(0);
        super::super::session::read(sent.as_object().unwrap().clone(), &notes).unwrap();
        let sent =
            json!({"sessionId": true, "conversationId": "c", "sessionStartTime": "2025-09-30T12:04:48"});
        super::super::session::read(sent.as_object().unwrap().clone(), &notes).unwrap();
        let mut warned: Vec<String> = notes
            .into_parts()
            .0
            .iter()
            .map(|warning| warning.strip_suffix(": not an id").unwrap().to_owned())
            .map(|path| path.rsplit('.').next().unwrap().to_owned())
            .collect();
        warned.sort();
        let mut listed = [IDENTITY.only_for, ID.only_for].concat();
        listed.sort_unstable();
        assert_eq!(warned, listed);
    }

    #[test]
    fn a_column_is_of_the_kind_of_its_type_and_of_its_field() {
        let name = |column_type, field| Coercion::of_column(column_type, field).map(|kind| kind.name);
        assert_eq!(name("text", "agentId"), Some("Id"));
        assert_eq!(name("text", "botId"), Some("Text"));
        assert_eq!(name("timestamptz", "assignedAt"), Some("Instant"));
        assert_eq!(name("money", "price"), None);
    }
}
