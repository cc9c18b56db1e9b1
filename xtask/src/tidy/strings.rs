//! The string literals of a Rust file: where the SQL is that stands in no file of its own.

/// A literal with the line (from 1) that it starts in. Escapes stay as they are written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Literal<'text> {
    pub(super) line: usize,
    pub(super) text: &'text str,
}

pub(super) fn literals(source: &str) -> Vec<Literal<'_>> {
    let mut scanner = Scanner { source, at: 0 };
    let mut literals = Vec::new();
    while let Some(rest) = scanner.rest() {
        if rest.starts_with("//") {
            scanner.skip_past("\n");
        } else if rest.starts_with("/*") {
            scanner.skip_past("*/");
        } else if let Some(opening) = raw_opening(rest).filter(|_| !scanner.within_word()) {
            let hashes = opening.bytes().filter(|byte| *byte == b'#').count();
            scanner.at += opening.len();
            literals.push(scanner.literal(|body| body.find(&format!("\"{}", "#".repeat(hashes)))));
            scanner.at += hashes;
        } else if rest.starts_with('"') {
            scanner.at += 1;
            literals.push(scanner.literal(end_of_plain));
        } else {
            scanner.at += character(rest);
        }
    }
    literals
}

struct Scanner<'text> {
    source: &'text str,
    at: usize,
}

impl<'text> Scanner<'text> {
    fn rest(&self) -> Option<&'text str> {
        self.source.get(self.at..).filter(|rest| !rest.is_empty())
    }

    fn skip_past(&mut self, end: &str) {
        let length = self.rest().and_then(|rest| rest.find(end).map(|found| found + end.len()));
        self.at = length.map_or(self.source.len(), |length| self.at + length);
    }

    /// Whether an `r` here only ends a longer word.
    fn within_word(&self) -> bool {
        let before = self.source.get(..self.at).and_then(|before| before.chars().next_back());
        before.is_some_and(|character| character.is_alphanumeric() || character == '_')
    }

    /// Takes what is left of a literal, with its closing quote.
    fn literal(&mut self, end: impl Fn(&str) -> Option<usize>) -> Literal<'text> {
        let body = self.rest().unwrap_or_default();
        let length = end(body).unwrap_or(body.len());
        let line = self.source.get(..self.at).map_or(0, |before| before.matches('\n').count()) + 1;
        self.at = (self.at + length + 1).min(self.source.len());
        Literal { line, text: body.get(..length).unwrap_or_default() }
    }
}

/// The opening of a raw string: `r"`, `r#"`, `br##"`.
fn raw_opening(rest: &str) -> Option<&str> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix("cr")).or_else(|| rest.strip_prefix('r'))?;
    let quote = after.trim_start_matches('#').strip_prefix('"')?;
    rest.get(..rest.len() - quote.len())
}

fn end_of_plain(body: &str) -> Option<usize> {
    let mut escaped = false;
    body.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// The length of the next character. A quote in single quotes opens no string.
fn character(rest: &str) -> usize {
    ["'\"'", "'\\\"'", "'\\\\'"]
        .iter()
        .find(|literal| rest.starts_with(**literal))
        .map_or_else(|| rest.chars().next().map_or(1, char::len_utf8), |literal| literal.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_literals_are_found() {
        let source = r##"
            // "a comment"
            let a = "one \" \\"; /* "another" */ let quote = '"'; let b = r"two\";
            const C: &str = r#"three "quoted"
            over lines"#; let error = br"four"; let d = '\''; f(b'"', '\"');
            "five"
        "##;
        let found: Vec<_> = literals(source).into_iter().map(|literal| (literal.line, literal.text)).collect();
        let expected = [(3, "one \\\" \\\\"), (3, "two\\"), (4, "three \"quoted\"\n            over lines"), (5, "four"), (6, "five")];
        assert_eq!(found, expected);
    }
}
