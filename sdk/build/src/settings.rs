//! `[package.metadata.kempe]`: what a contract may say about its own build.

use serde::Deserialize;
use serde_json::Value;

use crate::BuildError;

/// The memory of a contract in bytes, unless it asks for more. Fresh memory costs time in every
/// call, and calls of most contracts use less than a tenth of this.
pub const MEMORY_BYTES: u32 = 16 * 1024;

/// The most memory that a contract may ask for, in bytes. Ours to choose.
pub const MEMORY_BYTES_MAX: u32 = 1024 * 1024;

/// The stack of a contract in bytes, unless it asks for another.
pub const STACK_BYTES: u32 = 4 * 1024;

/// The smallest stack, in bytes.
pub const STACK_BYTES_MIN: u32 = 1024;

/// The stack's size is a multiple of this. Source: the C ABI of WebAssembly aligns stack frames to
/// 16 bytes, <https://github.com/WebAssembly/tool-conventions/blob/main/BasicCABI.md>.
pub const STACK_ALIGN_BYTES: u32 = 16;

/// The sizes that a contract's module declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// The memory in bytes, the stack included.
    pub memory_bytes: u32,
    /// The stack in bytes.
    pub stack_bytes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { memory_bytes: MEMORY_BYTES, stack_bytes: STACK_BYTES }
    }
}

impl Settings {
    /// Reads the `metadata` of a package as cargo reports it.
    pub(crate) fn from_metadata(metadata: &Value) -> Result<Self, BuildError> {
        let fail = |key: &str, reason: String| BuildError::Setting { key: key.into(), reason };
        let settings = match metadata.get("kempe") {
            None => Self::default(),
            Some(table) => {
                Self::deserialize(table).map_err(|error| fail("is malformed", error.to_string()))?
            }
        };
        if settings.memory_bytes > MEMORY_BYTES_MAX {
            let reason =
                format!("{} is more than the limit of {MEMORY_BYTES_MAX}", settings.memory_bytes);
            return Err(fail("memory-bytes", reason));
        }
        if settings.stack_bytes < STACK_BYTES_MIN
            || !settings.stack_bytes.is_multiple_of(STACK_ALIGN_BYTES)
        {
            let reason = format!(
                "{} is not a multiple of {STACK_ALIGN_BYTES} of at least {STACK_BYTES_MIN}",
                settings.stack_bytes
            );
            return Err(fail("stack-bytes", reason));
        }
        if settings.stack_bytes >= settings.memory_bytes {
            let reason = format!(
                "a stack of {} leaves nothing of a memory of {}",
                settings.stack_bytes, settings.memory_bytes
            );
            return Err(fail("stack-bytes", reason));
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sizes_default_and_override() {
        let read = |value: Value| Settings::from_metadata(&value).unwrap();
        assert_eq!(read(Value::Null), Settings::default());
        assert_eq!(read(json!({ "docs": {} })), Settings::default());
        let larger = read(json!({ "kempe": { "memory-bytes": 65536, "stack-bytes": 8192 } }));
        assert_eq!(larger, Settings { memory_bytes: 65536, stack_bytes: 8192 });
    }

    #[test]
    fn impossible_sizes_are_refused_by_name() {
        for (table, names) in [
            (json!({ "memory-bytes": 1_048_577 }), "memory-bytes: 1048577 is more"),
            (json!({ "memory-bytes": -1 }), "is malformed: invalid value"),
            (json!({ "stack-bytes": 16 }), "stack-bytes: 16 is not"),
            (json!({ "stack-bytes": 4100 }), "stack-bytes: 4100 is not"),
            (json!({ "stack-bytes": 16384 }), "leaves nothing"),
            (json!({ "memory": 1 }), "unknown field `memory`"),
        ] {
            let error = Settings::from_metadata(&json!({ "kempe": table })).unwrap_err();
            assert!(error.to_string().contains(names), "{error}");
        }
    }
}
