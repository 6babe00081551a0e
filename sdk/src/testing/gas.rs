//! What calls cost, by method.

use std::collections::BTreeMap;
use std::fmt;

/// The fuel of calls that succeeded, by contract and method.
///
/// Printed, it is a table: the number of calls, and the least, the median and the most fuel of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GasReport(BTreeMap<(String, String), Vec<u64>>);

impl GasReport {
    pub(crate) fn insert(&mut self, contract: &str, method: &str, fuel: u64) {
        self.0.entry((contract.to_string(), method.to_string())).or_default().push(fuel);
    }

    /// The fuel of each call of a method, in the order of the calls.
    #[must_use]
    pub fn of(&self, contract: &str, method: &str) -> &[u64] {
        self.0.get(&(contract.to_string(), method.to_string())).map_or(&[], Vec::as_slice)
    }
}

impl fmt::Display for GasReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |(contract, method): &(String, String)| format!("{contract}.{method}");
        let width = self.0.keys().map(|key| name(key).len()).max().unwrap_or(0).max(6);
        writeln!(
            f,
            "{:width$} {:>7} {:>10} {:>10} {:>10}",
            "method", "calls", "least", "median", "most"
        )?;
        for (key, fuel) in &self.0 {
            let mut sorted = fuel.clone();
            sorted.sort_unstable();
            let (n, median) = (sorted.len(), sorted[sorted.len() / 2]);
            let (least, most) = (sorted[0], sorted[n - 1]);
            writeln!(f, "{:width$} {n:>7} {least:>10} {median:>10} {most:>10}", name(key))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row for each method in order of its name, under a head, however long the names are.
    #[test]
    fn the_table_has_the_least_the_median_and_the_most() {
        let mut report = GasReport::default();
        for fuel in [30, 10, 20] {
            report.insert("Pot", "give", fuel);
        }
        report.insert("Pot", "empty_it_all", 123_456_789);
        for fuel in [4, 2] {
            report.insert("A", "b", fuel);
        }
        let table = "\
method             calls      least     median       most
A.b                    2          2          4          4
Pot.empty_it_all       1  123456789  123456789  123456789
Pot.give               3         10         20         30
";
        assert_eq!(report.to_string(), table);
        assert_eq!(report.of("Pot", "give"), [30, 10, 20]);
        let empty = "method   calls      least     median       most\n";
        assert_eq!(GasReport::default().to_string(), empty);
    }
}
