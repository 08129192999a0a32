use crate::{TOKENS, Wrong};

pub(crate) const WRONG: &[Wrong] = &[
    ("attention", &[TOKENS, TOKENS, TOKENS], "{}", "heads 0"),
    ("attention", &[TOKENS, TOKENS, TOKENS], r#"{"heads": 3}"#, "heads 3"),
    ("attention", &[TOKENS, TOKENS], r#"{"heads": 2}"#, "query, key, value, [mask], not 2"),
    ("attention", &[TOKENS, TOKENS, TOKENS], r#"{"heads": 2, "fused": true}"#, "query, [mask], not 3"),
    ("attention", &[TOKENS], r#"{"heads": 2, "fused": true}"#, "8 channels"),
    ("attention", &[&[6, 8], TOKENS, TOKENS], r#"{"heads": 2}"#, "[N, tokens, C]"),
    ("attention", &[TOKENS, &[1, 6, 6], &[1, 6, 6]], r#"{"heads": 2}"#, "the key"),
    ("attention", &[TOKENS, TOKENS, &[1, 5, 8]], r#"{"heads": 2}"#, "the value"),
    ("attention", &[TOKENS, TOKENS, TOKENS, &[6, 5]], r#"{"heads": 2}"#, "the mask"),
    ("attention", &[TOKENS, TOKENS, TOKENS], r#"{"heads": 2, "frames": 2}"#, "frames 2"),
    ("attention", &[TOKENS, TOKENS, TOKENS], r#"{"heads": 2, "over": "time"}"#, "frames"),
    ("attention", &[TOKENS, TOKENS, TOKENS], r#"{"heads": 2, "over": "space", "frames": 4}"#, "frames 4"),
    (
        "attention",
        &[TOKENS, &[1, 4, 8], &[1, 4, 8]],
        r#"{"heads": 2, "over": "space", "frames": 2}"#,
        "6 keys",
    ),
    ("attention", &[TOKENS, TOKENS, TOKENS], r#"{"heads": 2, "scale": 1e39}"#, "scale"),
    ("attention", &[&[1, 6, 194], &[1, 6, 194], &[1, 6, 194]], r#"{"heads": 2}"#, "at most 96"),
];
