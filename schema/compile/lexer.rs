use super::fault::Fault;

/// A line that says something: its depth, its words and the comment behind them.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    pub number: usize,
    /// Steps of two spaces.
    pub depth: usize,
    pub words: Vec<String>,
    pub comment: Option<String>,
    /// The comment lines directly above.
    pub above: Vec<String>,
}

/// A file cut into lines.
#[derive(Debug)]
pub struct Lines {
    /// The comment at the top that a blank line separates from everything else.
    pub head: Vec<String>,
    pub lines: Vec<Line>,
}

/// Cuts a text into lines, and gives each comment to what it belongs to.
pub fn lines(path: &str, text: &str) -> Result<Lines, Fault> {
    let mut result = Lines { head: Vec::new(), lines: Vec::new() };
    let mut above: Vec<String> = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let number = index + 1;
        let fault = |message: &str| Err(Fault::new(path, number, message));
        if raw.contains('\t') {
            return fault("a tab: indent and align with spaces");
        }
        if raw.ends_with(' ') {
            return fault("spaces at the end of the line");
        }
        let (code, comment) = match raw.split_once('#') {
            Some((code, comment)) => (code, Some(comment.trim().to_owned())),
            None => (raw, None),
        };
        let words: Vec<String> = code.split_whitespace().map(str::to_owned).collect();
        let spaces = raw.len() - raw.trim_start().len();
        if !spaces.is_multiple_of(2) {
            return fault("an odd indentation: each level has two spaces");
        }
        match (words.is_empty(), comment) {
            (true, Some(comment)) => above.push(comment),
            (true, None) => {
                let first = result.lines.is_empty() && result.head.is_empty();
                if !above.is_empty() && !first {
                    return fault("a blank line between a comment and what it is about");
                }
                result.head.append(&mut above);
            }
            (false, comment) => {
                let above = std::mem::take(&mut above);
                result.lines.push(Line { number, depth: spaces / 2, words, comment, above });
            }
        }
    }
    if !above.is_empty() {
        return Err(Fault::new(path, text.lines().count(), "a comment about nothing"));
    }
    Ok(result)
}
