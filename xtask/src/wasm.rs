//! Reads the imports of a WebAssembly module.

/// Returns `module.name` for every import.
///
/// # Errors
///
/// Returns the reason why the bytes are not a module.
pub(crate) fn imports(bytes: &[u8]) -> Result<Vec<String>, &'static str> {
    let mut rest =
        bytes.strip_prefix(b"\0asm\x01\0\0\0").ok_or("not a wasm module of version 1")?;
    let mut found = Vec::new();
    while let Some((&id, after)) = rest.split_first() {
        let (size, after) = number(after)?;
        let (section, after) = after.split_at_checked(size).ok_or("a section is truncated")?;
        const IMPORT: u8 = 2;
        if id == IMPORT {
            found.extend(import_section(section)?);
        }
        rest = after;
    }
    Ok(found)
}

fn import_section(section: &[u8]) -> Result<Vec<String>, &'static str> {
    let (count, mut rest) = number(section)?;
    let mut found = Vec::new();
    for _ in 0..count {
        let (module, after) = name(rest)?;
        let (item, after) = name(after)?;
        found.push(format!("{module}.{item}"));
        rest = description(after)?;
    }
    Ok(found)
}

/// Skips the description of an import.
fn description(bytes: &[u8]) -> Result<&[u8], &'static str> {
    let (&kind, rest) = bytes.split_first().ok_or("an import is truncated")?;
    match kind {
        // A function: a type index.
        0 => Ok(number(rest)?.1),
        // A table: the element type, then limits.
        1 => limits(rest.split_first().ok_or("a table is truncated")?.1),
        // A memory.
        2 => limits(rest),
        // A global: type and mutability.
        3 => rest.get(2..).ok_or("a global is truncated"),
        _ => Err("an import of unknown kind"),
    }
}

fn limits(bytes: &[u8]) -> Result<&[u8], &'static str> {
    let (&flags, rest) = bytes.split_first().ok_or("limits are truncated")?;
    let rest = number(rest)?.1;
    if flags & 1 == 1 { Ok(number(rest)?.1) } else { Ok(rest) }
}

fn name(bytes: &[u8]) -> Result<(&str, &[u8]), &'static str> {
    let (length, rest) = number(bytes)?;
    let (text, rest) = rest.split_at_checked(length).ok_or("a name is truncated")?;
    Ok((std::str::from_utf8(text).map_err(|_| "a name is not UTF-8")?, rest))
}

/// A 32-bit number in LEB128.
fn number(bytes: &[u8]) -> Result<(usize, &[u8]), &'static str> {
    let mut value = 0_u64;
    for (at, &byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok((
                usize::try_from(value).map_err(|_| "a number is too large")?,
                &bytes[at + 1..],
            ));
        }
    }
    Err("a number is truncated")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn a_module_without_imports_has_none() {
        assert_eq!(imports(HEAD), Ok(vec![]));
        assert_eq!(imports(&[HEAD, &[0, 3, 1, b'x', 9]].concat()), Ok(vec![]));
    }

    #[test]
    fn every_kind_of_import_is_named() {
        let section = [
            &[4][..],
            &[3, b'e', b'n', b'v', 3, b'n', b'o', b'w', 0, 5],
            &[1, b'a', 1, b't', 1, 0x70, 1, 1, 2],
            &[1, b'a', 1, b'm', 2, 0, 1],
            &[1, b'a', 1, b'g', 3, 0x7f, 0],
        ]
        .concat();
        let module = [HEAD, &[2, u8::try_from(section.len()).unwrap()], &section].concat();
        assert_eq!(imports(&module).unwrap(), ["env.now", "a.t", "a.m", "a.g"]);
    }

    #[test]
    fn a_file_that_is_not_a_wasm_module_is_an_error() {
        assert!(imports(b"ELF").is_err());
        assert!(imports(&[HEAD, &[2, 100, 1]].concat()).is_err());
        assert!(imports(&[HEAD, &[2, 3, 1, 9, b'x']].concat()).is_err());
    }
}
