//! Calls as CSV.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::rc::Rc;

use csv::StringRecord;

use super::{Args, Fault, LINE_BYTES_MAX, Line, Place};

/// Reads record after record; one of more than about [`LINE_BYTES_MAX`] bytes is refused while it is read.
pub(crate) struct Reader {
    records: csv::Reader<Capped<File>>,
    header: Vec<Column>,
    columns: [u64; 3],
    read: Rc<Cell<usize>>,
}

enum Column {
    From,
    Contract,
    Method,
    Fuel,
    Arg(String),
}

/// Counts what is read since the last record, and refuses to read on when that is too much.
struct Capped<R> {
    inner: R,
    read: Rc<Cell<usize>>,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.read.get() > LINE_BYTES_MAX {
            return Err(io::Error::other(format!("a record has more than {LINE_BYTES_MAX} bytes")));
        }
        let n = self.inner.read(buffer)?;
        self.read.set(self.read.get() + n);
        Ok(n)
    }
}

impl Reader {
    pub(crate) fn new(file: File) -> Result<Self, Fault> {
        let read = Rc::new(Cell::new(0));
        let capped = Capped { inner: file, read: read.clone() };
        let mut records = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(capped);
        let header = records.headers().map_err(|error| fault(&error, 1))?;
        let column = |name: &str| match name {
            "from" => Column::From,
            "contract" => Column::Contract,
            "method" => Column::Method,
            "fuel" => Column::Fuel,
            name => Column::Arg(name.strip_prefix("arg:").unwrap_or(name).to_owned()),
        };
        let header: Vec<Column> = header.iter().map(column).collect();
        let place = |name: &str, wanted: fn(&Column) -> bool| {
            let found = (1..).zip(&header).filter(|(_, column)| wanted(column));
            let found: Vec<u64> = found.map(|(at, _)| at).collect();
            let [at] = found[..] else {
                let message = format!("the header has {} columns `{name}`, not one", found.len());
                return Err(Fault { place: Place { line: 1, column: 1 }, message });
            };
            Ok(at)
        };
        let columns = [
            place("from", |column| matches!(column, Column::From))?,
            place("contract", |column| matches!(column, Column::Contract))?,
            place("method", |column| matches!(column, Column::Method))?,
        ];
        Ok(Self { records, header, columns, read })
    }

    pub(crate) fn next_line(&mut self) -> Result<Option<Line>, Fault> {
        self.read.set(0);
        let mut record = StringRecord::new();
        let first = self.records.position().line();
        if !self.records.read_record(&mut record).map_err(|error| fault(&error, first))? {
            return Ok(None);
        }
        let line = record.position().map_or(0, csv::Position::line);
        let (mut from, mut contract, mut method) = (String::new(), String::new(), String::new());
        let (mut fuel, mut args) = (None, Vec::new());
        for ((column, text), at) in self.header.iter().zip(&record).zip(1..) {
            match column {
                Column::From => text.clone_into(&mut from),
                Column::Contract => text.clone_into(&mut contract),
                Column::Method => text.clone_into(&mut method),
                Column::Fuel if text.is_empty() => {}
                Column::Fuel => {
                    let parsed = text.parse().map_err(|error| Fault {
                        place: Place { line, column: at },
                        message: format!("`fuel` is {}: {error}", text.escape_debug()),
                    });
                    fuel = Some(parsed?);
                }
                Column::Arg(_) if text.is_empty() => {}
                Column::Arg(name) => args.push((name.clone(), text.to_owned(), at)),
            }
        }
        let place = Place { line, column: 1 };
        let columns = self.columns;
        Ok(Some(Line { place, from, contract, method, columns, fuel, args: Args::Csv(args) }))
    }
}

/// Where the error does not say where, in the record that begins at this line.
fn fault(error: &csv::Error, first: u64) -> Fault {
    let line = error.position().map_or(first, csv::Position::line);
    Fault { place: Place { line, column: 1 }, message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    #[test]
    fn a_record_that_is_too_long_is_named_by_its_line() {
        let mut file = tempfile::tempfile().unwrap();
        let before = "from,contract,method,x\nbob,token,burn,\"1\n2\"\nbob,token,burn,3\n";
        let long = format!("bob,token,burn,\"{}\n", "4\n".repeat(LINE_BYTES_MAX));
        file.write_all([before, &long].concat().as_bytes()).unwrap();
        file.rewind().unwrap();
        let Ok(mut reader) = Reader::new(file) else { panic!("its header is right") };
        for line in [2, 4] {
            let Ok(Some(found)) = reader.next_line() else { panic!("line {line} is right") };
            assert_eq!(found.place.line, line);
        }
        let Err(Fault { place, message }) = reader.next_line() else { panic!("it is too long") };
        assert_eq!((place.line, place.column), (5, 1), "{message}");
        assert!(message.contains("a record has more than"), "{message}");
    }
}
