//! Kinds of columns with their coercions, for `docs/data-dictionary.md`.

/// One kind of column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coercion {
    /// Name of the kind.
    pub name: &'static str,
    /// SQL type of the columns.
    pub column_type: &'static str,
    /// Ends of API paths; empty means all others.
    pub only_for: &'static [&'static str],
    /// Accepted values.
    pub read: &'static str,
    /// Values that become NULL with a warning.
    pub warned: &'static str,
    /// JSON input and result, at offset -330.
    pub examples: &'static [(&'static str, &'static str)],
}

impl Coercion {
    /// The kind of a column.
    pub fn of_column(column_type: &str, path: &str) -> Option<&'static Self> {
        let is_of = |field: &&str| path == *field || path.ends_with(&format!(".{field}"));
        COERCIONS.iter().find(|kind| {
            kind.column_type == column_type && (kind.only_for.is_empty() || kind.only_for.iter().any(is_of))
        })
    }
}

/// All kinds; the first match counts.
pub const COERCIONS: &[Coercion] = &[
    YES_OR_NO,
    DURATION,
    WHOLE_NUMBER,
    INSTANT,
    IDENTITY,
    ID,
    LABEL,
    TEXT,
    LIST_OF_LABELS,
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

const DURATION: Coercion = Coercion {
    name: "Duration",
    column_type: "integer",
    only_for: &[
        "firstResponseDuration",
        "interactionDuration",
        "holdDuration",
        "afterCallWorkDuration",
    ],
    read: "A number of seconds, also as text, with its unit (49s, 49 sec) or as ISO 8601 has it (PT49S), or a clock time of hours, \
           minutes and seconds. A fraction is rounded, a half up.",
    warned: "A negative number; one of another unit, like 49 ms; a clock time of two parts, which may be hours or minutes; a number \
             that is more than a hundred times what lies between the stamps beside it, as milliseconds would be; any other text, a boolean, \
             a list, an object.",
    examples: &[
        ("49", "49"),
        ("49.4", "49"),
        ("48.5", "49"),
        (r#""49 sec""#, "49"),
        (r#""00:00:49""#, "49"),
        (r#""1:02:03""#, "3723"),
        (r#""PT49S""#, "49"),
        (r#""""#, "NULL"),
        ("-3", "NULL, warning: negative"),
        (r#""00:49""#, "NULL, warning: not a duration in seconds"),
        (r#""49 ms""#, "NULL, warning: not a duration in seconds"),
        (r#""1,049""#, "NULL, warning: not a duration in seconds"),
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
    read: "A date, or a date and time to the minute or finer, in every usual spelling: with T or a blank between them, parts with or \
           without leading zeros, hyphens, slashes or dots, the month by its English name, hours to 24:00:00 or with AM and PM, a fraction \
           after a point or a comma. With Z, UTC, GMT or an offset of its own it is what it says; without, it is local at the \
           time zone offset that was asked for (UTC = local + offset; the examples were asked for at -330, the time of India). A \
           number, also as text, is seconds since 1970, or milliseconds or microseconds where only those give a year from 2000 to \
           2099. A date alone is its midnight. Finer than microseconds is cut off; a leap second is the end of the second before.",
    warned: "A date or time that does not exist; one that may be two, like 3/4/2025; a zone by a name other than UTC and GMT; one before \
             2000 or after 2099, which means never (0001-01-01, 1899-12-30, 1970-01-01, 0, 9999-12-31); any other text, a boolean, a \
             list, an object.",
    examples: &[
        (r#""2025-09-30T12:04:48""#, "2025-09-30T06:34:48Z"),
        (r#""2025-09-30 2:25:54""#, "2025-09-29T20:55:54Z"),
        (r#""2025-09-30T06:34:48.810Z""#, "2025-09-30T06:34:48.810Z"),
        (r#""2025-09-30T12:04:48+02:00""#, "2025-09-30T10:04:48Z"),
        (r#""2025-09-30T12:04:48+0530""#, "2025-09-30T06:34:48Z"),
        (r#""2025-09-30 06:34:48 UTC""#, "2025-09-30T06:34:48Z"),
        (r#""2025/9/30 12:04:48 PM""#, "2025-09-30T06:34:48Z"),
        (r#""2025-09-30T12:04""#, "2025-09-30T06:34:00Z"),
        (r#""2025-09-29T24:00:00""#, "2025-09-29T18:30:00Z"),
        (r#""30/09/2025 12:04:48""#, "2025-09-30T06:34:48Z"),
        (r#""2025-09-30""#, "2025-09-29T18:30:00Z"),
        ("1759214088", "2025-09-30T06:34:48Z"),
        ("1759214088000", "2025-09-30T06:34:48Z"),
        (r#""2016-12-31T23:59:60Z""#, "2016-12-31T23:59:59.999999Z"),
        (r#""""#, "NULL"),
        (r#""2025-02-30T10:00:00""#, "NULL, warning: not a date and time"),
        (r#""3/4/2025 12:04:48""#, "NULL, warning: not a date and time"),
        (
            r#""0001-01-01T00:00:00""#,
            "NULL, warning: before 2000 or after 2099, which means never",
        ),
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

const LABEL: Coercion = Coercion {
    name: "Label",
    column_type: "text",
    only_for: &[
        "channel",
        "Direction",
        "smartStatus",
        "finalStatus",
        "reason",
        "disconnectingEvent",
        "surveyType",
        "campaignName",
        "contactStatus",
        "lastIntentName",
        "os",
        "destinationType",
        "queueName",
        "status",
        "nonResponseEvent",
        "userleveltags[].name",
        "sessionleveltags[].name",
    ],
    read: "As a text, without white space around it; upper and lower case as sent.",
    warned: "Nothing: everything has a text.",
    examples: &[
        (r#""Voice""#, r#""Voice""#),
        (r#""Jones Ltd ""#, r#""Jones Ltd""#),
        (r#"" ""#, "NULL"),
        ("7", r#""7""#),
        ("null", "NULL"),
    ],
};

const LIST_OF_LABELS: Coercion = Coercion {
    name: "List of labels",
    column_type: "text[]",
    only_for: &["dispositions", "contactListName"],
    read: "As a list of texts, each without white space around it.",
    warned: "Nothing: everything has a text.",
    examples: &[
        (r#"["Sale ","Callback"]"#, r#"["Sale","Callback"]"#),
        (r#"" Sale""#, r#"["Sale"]"#),
        (r#"["Sale"," ",3]"#, r#"["Sale",null,"3"]"#),
        (r#"["",null]"#, "[]"),
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
    read: "A list of objects, each of which is a row: destinations, agents, consultations, joined users, tags. A lone object \
           counts as a list of one, and a text among joined users is a name. An element that is null or empty is no row, and the others keep their place.",
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
mod tests;
