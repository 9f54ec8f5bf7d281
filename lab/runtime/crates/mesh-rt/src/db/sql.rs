//! Statements and rows. Everything is text in both directions: parameters are
//! strings, and a row is a map from column name to string.

use postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use crate::value::word_text;
use crate::{list, map};

/// What a statement brought back.
pub struct Outcome {
    pub rows: Vec<SimpleQueryRow>,
    pub affected: u64,
}

/// Runs one statement with its parameters; Err is one line for people.
pub unsafe fn run(client: &mut Client, sql: &str, params: *mut u8) -> Result<Outcome, String> {
    let params: Vec<&str> =
        unsafe { list::words(params) }.iter().map(|&word| unsafe { word_text(word) }).collect();
    let messages = client.simple_query(&bind(sql, &params)).map_err(|error| reason(&error))?;
    let mut outcome = Outcome { rows: Vec::new(), affected: 0 };
    for message in messages {
        match message {
            SimpleQueryMessage::Row(row) => outcome.rows.push(row),
            SimpleQueryMessage::CommandComplete(count) => outcome.affected = count,
            _ => {}
        }
    }
    Ok(outcome)
}

/// Rows as a list of maps. NULL becomes the empty string.
pub fn rows_to_list(rows: &[SimpleQueryRow]) -> *mut u8 {
    let maps: Vec<u64> = rows.iter().map(|row| row_to_map(row) as u64).collect();
    list::of(&maps)
}

pub fn row_to_map(row: &SimpleQueryRow) -> *mut u8 {
    let columns = row.columns().iter().enumerate();
    map::of_strings(columns.map(|(at, column)| (column.name(), row.get(at).unwrap_or(""))))
}

/// Puts quoted literals in the place of `$1`, `$2`, ...; a `$n` inside a quoted
/// literal of the statement stays as it is.
pub fn bind(sql: &str, params: &[&str]) -> String {
    let mut bound = String::with_capacity(sql.len());
    let mut quoted = false;
    let mut rest = sql;
    while let Some(at) = rest.find(['\'', '$']) {
        bound.push_str(&rest[..at]);
        let digits = rest[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[at + 1..at + 1 + digits].parse::<usize>().ok();
        let param = number.and_then(|n| params.get(n.wrapping_sub(1)));
        match param {
            Some(param) if !quoted && rest[at..].starts_with('$') => {
                bound.push_str(&literal(param));
                rest = &rest[at + 1 + digits..];
            }
            _ => {
                quoted ^= rest[at..].starts_with('\'');
                bound.push_str(&rest[at..=at]);
                rest = &rest[at + 1..];
            }
        }
    }
    bound + rest
}

fn literal(text: &str) -> String {
    if text.contains('\\') {
        return format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// The server's own words if it had any, else the client's with their cause.
pub fn reason(error: &postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        return format!("{}: {} (SQLSTATE {})", db.severity(), db.message(), db.code().code());
    }
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::bind;

    #[test]
    fn parameters_become_quoted_literals() {
        let cases: [(&str, &[&str], &str); 9] = [
            ("select 1", &[], "select 1"),
            ("select $1", &["a"], "select 'a'"),
            ("select $2, $1", &["a", "b"], "select 'b', 'a'"),
            ("select $1", &["it's"], "select 'it''s'"),
            ("select $1", &[r"a\b'"], r"select  E'a\\b'''"),
            ("select '$1', $1", &["a"], "select '$1', 'a'"),
            ("select $3, $0, $", &["a"], "select $3, $0, $"),
            ("do $$ begin end $$", &["a"], "do $$ begin end $$"),
            ("select 'it''s $1' || $1", &["$1"], "select 'it''s $1' || '$1'"),
        ];
        for (sql, params, want) in cases {
            assert_eq!(bind(sql, params), want, "{sql}");
        }
    }
}
