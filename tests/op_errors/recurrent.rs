use crate::{VIDEO, Wrong};

const INPUT: &[usize] = &[2, 4, 6];
const LSTM: [&[usize]; 5] = [INPUT, &[6, 20], &[5, 20], &[20], &[20]];
const GRU: [&[usize]; 5] = [INPUT, &[6, 15], &[5, 15], &[15], &[15]];
const KERNEL: &[usize] = &[3, 3, 6, 20];
const HIDDEN: &[usize] = &[3, 3, 5, 20];

pub(crate) const WRONG: &[Wrong] = &[
    ("lstm_cell", &[&[20]], "{}", "[N, …, C]"),
    ("lstm_cell", &[&[2, 20]], r#"{"step": 0}"#, "[N, T, …, C]"),
    ("lstm_cell", &[&[2, 3, 20]], r#"{"step": 3}"#, "step 3 of 3"),
    ("lstm_cell", &[&[2, 18]], "{}", "no multiple of 4"),
    ("lstm_cell", &[&[2, 20], &[2, 16]], "{}", "what is recurrent must be [2, 20] or [20]"),
    ("lstm_cell", &[&[2, 20], &[2, 20], &[2, 20]], "{}", "the cell must be [2, 5]"),
    ("lstm_cell", &[&[2, 20], &[2, 20], &[2, 5], &[3, 5]], "{}", "1 to 3 inputs"),
    ("lstm_cell", &[&[2, 3, 20], &[3, 2, 5]], r#"{"peephole": true}"#, "the peephole must be [3, 5]"),
    ("gru_cell", &[&[2, 16]], "{}", "no multiple of 3"),
    ("gru_cell", &[&[2, 15], &[2, 10]], "{}", "what is recurrent must be [2, 15] or [15]"),
    ("gru_cell", &[&[2, 15], &[2, 15]], r#"{"reset": "before"}"#, "[2, 10] or [10]"),
    ("gru_cell", &[&[2, 15], &[2, 10], &[2, 5]], r#"{"reset": "before"}"#, "comes with a candidate"),
    ("gru_cell", &[&[2, 15], &[2, 15], &[2, 5], &[2, 5]], "{}", "candidate is for reset before"),
    ("gru_cell", &[&[2, 15], &[2, 15]], r#"{"reset_state": true}"#, "3 inputs are needed"),
    ("gru_cell", &[&[2, 15], &[2, 15], &[5, 2]], "{}", "the state must be [2, 5]"),
    (
        "gru_cell",
        &[&[2, 15], &[2, 10], &[2, 5], &[2, 1]],
        r#"{"reset": "before"}"#,
        "the candidate must be [2, 5]",
    ),
    ("gru_cell", &[&[2, 15]], r#"{"update": "forget"}"#, "forget"),
    ("lstm", &[VIDEO, LSTM[1], LSTM[2], LSTM[3], LSTM[4]], "{}", "[N, T, C]"),
    ("lstm", &[INPUT, &[5, 20], LSTM[2], LSTM[3], LSTM[4]], "{}", "6 channels"),
    ("lstm", &[INPUT, &[6, 18], LSTM[2], LSTM[3], LSTM[4]], "{}", "no multiple of 4"),
    ("lstm", &[INPUT, LSTM[1], &[20, 5], LSTM[3], LSTM[4]], "{}", "the hidden weight"),
    ("lstm", &[INPUT, LSTM[1], LSTM[2], LSTM[3], &[5]], "{}", "the hidden bias must be [20]"),
    ("lstm", &[INPUT, LSTM[1], LSTM[2], LSTM[3]], "{}", "3 weights and biases: 4 are needed"),
    ("lstm", &LSTM, r#"{"direction": "bidirectional"}"#, "each layer and direction"),
    ("lstm", &LSTM, r#"{"direction": "sideways"}"#, "sideways"),
    (
        "lstm",
        &[INPUT, LSTM[1], LSTM[2], &[2, 2, 5], &[1, 2, 5]],
        r#"{"bias": false, "initial_state": true}"#,
        "there are 1",
    ),
    (
        "lstm",
        &[INPUT, LSTM[1], LSTM[2], &[1, 3, 5], &[1, 3, 5]],
        r#"{"bias": false, "initial_state": true}"#,
        "must be [2, 20]",
    ),
    ("gru", &[INPUT, GRU[1], &[5, 10], GRU[3], GRU[4]], "{}", "the hidden weight"),
    (
        "gru",
        &[INPUT, GRU[1], &[5, 10], &[5, 4]],
        r#"{"reset": "before", "bias": false}"#,
        "the candidate's weight",
    ),
    ("gru", &GRU, r#"{"reset": "before"}"#, "the hidden weight"),
    ("gru", &GRU, r#"{"reset": "between"}"#, "between"),
    ("gru", &[INPUT, GRU[1], GRU[2]], "{}", "2 weights and biases"),
    ("conv_lstm", &[VIDEO, &[2, 3, 6, 20], HIDDEN], "{}", "a kernel of 2 by 3"),
    ("conv_lstm", &[VIDEO, KERNEL, &[3, 4, 5, 20]], "{}", "a kernel of 3 by 4"),
    ("conv_lstm", &[VIDEO, KERNEL, &[3, 3, 6, 20]], "{}", "the hidden weight must end in [5, 20]"),
    ("conv_lstm", &[INPUT, KERNEL, HIDDEN], "{}", "[N, T, H, W, C]"),
    ("conv_lstm", &[VIDEO, KERNEL, HIDDEN, &[20], &[1, 6, 8, 5]], "{}", "h0 comes with c0"),
    ("conv_lstm", &[VIDEO, KERNEL, HIDDEN, &[20], &[1, 6, 8, 5], &[1, 8, 6, 5]], "{}", "the cell must be"),
    ("conv_gru", &[VIDEO, &[3, 3, 6, 15], &[3, 3, 5, 15], &[3, 3, 5, 5]], "{}", "must end in [5, 10]"),
    ("conv_gru", &[VIDEO, &[3, 3, 6, 15], &[3, 3, 5, 10], &[3, 3, 5, 10]], "{}", "must end in [5, 5]"),
    ("conv_gru", &[VIDEO, &[3, 3, 6, 15], &[3, 3, 5, 10], &[3, 2, 5, 5]], "{}", "a kernel of 3 by 2"),
    (
        "conv_gru",
        &[VIDEO, &[3, 3, 6, 15], &[3, 3, 5, 10], &[1, 1, 5, 5]],
        r#"{"reset": "after"}"#,
        "must end in [5, 15]",
    ),
    ("conv_gru", &[VIDEO, &[3, 3, 6, 15], &[3, 3, 5, 10]], "{}", "needs the candidate's weight"),
    (
        "conv_gru",
        &[VIDEO, &[3, 3, 6, 15], &[3, 3, 5, 15], &[15], &[1, 6, 8, 5], &[15]],
        r#"{"reset": "after"}"#,
        "for reset before",
    ),
];
