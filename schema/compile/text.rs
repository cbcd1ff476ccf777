/// Appends a line of generated text.
macro_rules! line {
    ($text:expr, $($format:tt)*) => {{
        use std::fmt::Write as _;
        writeln!($text, $($format)*).expect("a String takes everything")
    }};
}
pub(super) use line;

/// Appends comments as documentation.
pub fn doc(text: &mut String, comments: &[String]) {
    for comment in comments {
        let space = if comment.is_empty() { "" } else { " " };
        line!(text, "///{space}{comment}");
    }
}
