//! "Did you mean ...?"

/// `: did you mean ...?` with the known word that is most like `word`, or, if none is, the list
/// of them.
pub(crate) fn suggest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    /// Jaro-Winkler similarity from which two words look like one with a typing error.
    const ALIKE: f64 = 0.8;
    let known: Vec<&str> = known.collect();
    let alike = |name: &&&str| strsim::jaro_winkler(word, name);
    let best = known
        .iter()
        .filter(|name| alike(name) > ALIKE)
        .max_by(|a, b| alike(a).total_cmp(&alike(b)));
    match best {
        Some(best) => format!(": did you mean `{best}`?"),
        None if known.is_empty() => String::new(),
        None => format!(": there is {}", known.join(", ")),
    }
}
