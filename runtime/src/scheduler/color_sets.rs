//! The colors that each key's transactions have, as sparse bitsets: what first-fit coloring asks
//! instead of walking edges.

use kempe_abi::AccessKind::{self, Add, Read, Write};

use super::{Access, Block};

/// How many words of 64 colors the search for a free color looks at before it takes the color after
/// the last one of the transaction's keys, which is always free. It keeps a crafted block linear;
/// below 64 times as many colors it never changes a result. Ours to choose.
const SEARCH_WORDS_MAX: u32 = 32;

/// Colors are stored 64 to a word.
const WORD_BITS: u32 = u64::BITS;

/// For each key, the colors that its transactions have, by kind.
///
/// A key whose accesses all commute, or that one transaction alone touches, has no set. The others
/// have a run of `words`, sorted, with room for as many as the key has accesses: memory is linear in
/// the accesses, however high the colors.
#[derive(Debug)]
pub(super) struct ColorSets {
    keys: Vec<KeyColors>,
    words: Vec<Word>,
}

/// 64 colors of one key.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    /// The first of the colors divided by 64.
    number: u32,
    /// The colors that a reader cannot have: an adder or a writer of the key has them.
    bars_read: u64,
    /// The colors that an adder cannot have: a reader or a writer of the key has them.
    bars_add: u64,
}

impl Word {
    fn bars(&self, kind: AccessKind) -> u64 {
        match kind {
            Read => self.bars_read,
            Add => self.bars_add,
            Write => self.bars_read | self.bars_add,
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct KeyColors {
    /// Where the key's words start.
    start: u32,
    /// How many words it has.
    len: u32,
    /// For each kind, the first word that is not all barred: where a search starts. It makes a hot
    /// key, whose low colors are all taken, cost no more than a cold one.
    open: [u32; 3],
    /// One more than the highest color in the set.
    top: u32,
}

/// `KeyColors::start` of a key that cannot cause a conflict.
const NO_SET: u32 = u32::MAX;

impl ColorSets {
    /// Empty sets for the keys of the transactions that are not in the tail, and for colors below
    /// `n_colors_max`.
    pub(super) fn new(block: &Block<'_>, tail: &[bool], n_colors_max: usize) -> Self {
        let accesses = block.accesses();
        // Until the runs are laid out, `len` counts accesses and `top` holds the kinds as bits.
        let mut keys = vec![KeyColors::default(); accesses.n_slots()];
        for (row, _) in accesses.rows().zip(tail).filter(|(_, in_tail)| !**in_tail) {
            for access in row {
                let key = &mut keys[access.slot as usize];
                key.len += 1;
                key.top |= 1 << access.kind as u32;
            }
        }
        let n_words_max = n_colors_max.div_ceil(WORD_BITS as usize);
        let mut start = 0usize;
        for key in &mut keys {
            let commutes = key.top == 1 << Read as u32 || key.top == 1 << Add as u32;
            let room = (key.len as usize).min(n_words_max);
            let is_set = key.len > 1 && !commutes;
            key.start = NO_SET;
            if is_set {
                key.start = u32::try_from(start).expect("there are no more words than accesses");
                start += room;
            }
            (key.len, key.top) = (0, 0);
        }
        Self { keys, words: vec![Word::default(); start] }
    }

    /// The lowest color from `floor` on that no conflicting transaction has.
    pub(super) fn first_fit(&self, row: &[Access], floor: u32) -> u32 {
        let mut number = floor / WORD_BITS;
        let mut top = 0;
        for access in row {
            let key = &self.keys[access.slot as usize];
            if key.start != NO_SET {
                number = number.max(key.open[access.kind as usize]);
                top = top.max(key.top);
            }
        }
        for _ in 0..SEARCH_WORDS_MAX {
            let first = number * WORD_BITS;
            if first >= top {
                return first.max(floor);
            }
            let below_floor = floor.saturating_sub(first);
            let mut barred = (1u64 << below_floor) - 1;
            for access in row {
                let key = &self.keys[access.slot as usize];
                if key.start != NO_SET
                    && let Ok(at) = self.find(key, number)
                {
                    barred |= self.words[at].bars(access.kind);
                }
            }
            if barred != u64::MAX {
                return first + barred.trailing_ones();
            }
            number += 1;
        }
        top.max(floor)
    }

    /// Gives a transaction a color.
    pub(super) fn insert(&mut self, row: &[Access], color: u32) {
        let number = color / WORD_BITS;
        let bit = 1 << (color % WORD_BITS);
        for access in row {
            let key = self.keys[access.slot as usize];
            if key.start == NO_SET {
                continue;
            }
            let at = match self.find(&key, number) {
                Ok(at) => at,
                Err(at) => {
                    let end = (key.start + key.len) as usize;
                    self.words.copy_within(at..end, at + 1);
                    self.words[at] = Word { number, ..Word::default() };
                    self.keys[access.slot as usize].len += 1;
                    at
                }
            };
            let word = &mut self.words[at];
            word.bars_read |= if access.kind == Read { 0 } else { bit };
            word.bars_add |= if access.kind == Add { 0 } else { bit };
            let is_full = word.bars(Write) == u64::MAX;
            let key = &mut self.keys[access.slot as usize];
            key.top = key.top.max(color + 1);
            if is_full {
                self.advance(access.slot);
            }
        }
    }

    /// Moves the searches' starts of a key over the words that became full.
    fn advance(&mut self, slot: u32) {
        let key = &mut self.keys[slot as usize];
        let words = &self.words[key.start as usize..(key.start + key.len) as usize];
        for kind in [Read, Add, Write] {
            let open = &mut key.open[kind as usize];
            // Words before `open` are all there, so the word of that number is at that position.
            while let Some(word) = words.get(*open as usize)
                && word.number == *open
                && word.bars(kind) == u64::MAX
            {
                *open += 1;
            }
        }
    }

    /// Where the key's word of that number is, or where it would be.
    fn find(&self, key: &KeyColors, number: u32) -> Result<usize, usize> {
        let start = key.start as usize;
        let words = &self.words[start..start + key.len as usize];
        // Most sets are dense or end near the colors in use.
        match words.get(number as usize) {
            Some(word) if word.number == number => return Ok(start + number as usize),
            _ => {}
        }
        match words.last() {
            None => Err(start),
            Some(last) if last.number < number => Err(start + words.len()),
            Some(last) if last.number == number => Ok(start + words.len() - 1),
            Some(_) => match words.binary_search_by_key(&number, |word| word.number) {
                Ok(at) => Ok(start + at),
                Err(at) => Err(start + at),
            },
        }
    }
}
