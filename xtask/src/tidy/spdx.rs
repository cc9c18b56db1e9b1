//! Licence expressions: `MIT OR (Apache-2.0 WITH LLVM-exception AND Zlib)`. WITH binds closest,
//! then AND, then OR.

use std::iter::Peekable;

use anyhow::{Result, bail};

/// Whether somebody who accepts exactly the listed terms may use what is under `expression`.
pub(super) fn allowed(expression: &str, accepted: &[String]) -> Result<bool> {
    // Before there were expressions, a slash meant a choice.
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut parser = Parser { words: spaced.split_whitespace().peekable(), accepted };
    let allowed = parser.any()?;
    if let Some(word) = parser.words.next() {
        bail!("`{word}` is not expected there");
    }
    Ok(allowed)
}

struct Parser<'text, Words: Iterator<Item = &'text str>> {
    words: Peekable<Words>,
    accepted: &'text [String],
}

impl<'text, Words: Iterator<Item = &'text str>> Parser<'text, Words> {
    fn any(&mut self) -> Result<bool> {
        let mut allowed = self.all()?;
        while self.words.next_if_eq(&"OR").is_some() {
            // Both sides are read, also when the first decides.
            allowed |= self.all()?;
        }
        Ok(allowed)
    }

    fn all(&mut self) -> Result<bool> {
        let mut allowed = self.one()?;
        while self.words.next_if_eq(&"AND").is_some() {
            allowed &= self.one()?;
        }
        Ok(allowed)
    }

    fn one(&mut self) -> Result<bool> {
        match self.words.next() {
            Some("(") => {
                let allowed = self.any()?;
                match self.words.next() {
                    Some(")") => Ok(allowed),
                    _ => bail!("a bracket is not closed"),
                }
            }
            Some(word @ (")" | "AND" | "OR" | "WITH")) => bail!("`{word}` is not expected there"),
            Some(licence) => {
                let mut terms = licence.to_owned();
                if self.words.next_if_eq(&"WITH").is_some() {
                    let Some(exception) = self.words.next() else { bail!("no exception follows WITH") };
                    terms = format!("{licence} WITH {exception}");
                }
                Ok(self.accepted.contains(&terms))
            }
            None => bail!("a licence is expected at the end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str) -> Result<bool> {
        let accepted = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Zlib"].map(str::to_owned);
        allowed(expression, &accepted)
    }

    #[test]
    fn expressions_are_evaluated() {
        let cases = [
            ("MIT", true),
            ("GPL-3.0-only", false),
            ("mit", false),
            ("MIT OR GPL-3.0-only", true),
            ("GPL-3.0-only OR MIT", true),
            ("MIT AND GPL-3.0-only", false),
            ("MIT AND Zlib", true),
            ("MIT/Apache-2.0", true),
            ("GPL-2.0-only WITH Classpath-exception-2.0", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT WITH LLVM-exception", false),
            ("Apache-2.0 WITH LLVM-exception OR GPL-3.0-only", true),
            // AND binds closer than OR.
            ("MIT OR GPL-3.0-only AND Zlib", true),
            ("GPL-3.0-only AND Zlib OR MIT", true),
            ("(MIT OR GPL-3.0-only) AND GPL-2.0-only", false),
            ("(MIT OR Apache-2.0) AND Zlib", true),
            ("((MIT))", true),
        ];
        for (expression, expected) in cases {
            assert_eq!(check(expression).unwrap(), expected, "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for expression in ["", "MIT OR", "OR MIT", "(MIT", "MIT)", "MIT Zlib", "MIT WITH", "MIT AND OR Zlib", "()"] {
            assert!(check(expression).is_err(), "{expression}");
        }
    }
}
