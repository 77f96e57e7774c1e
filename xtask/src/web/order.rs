//! Functions in an order that packs well. gzip sees 32 KiB back, and the views of a page are many functions that differ
//! little: side by side, the later ones are repetitions. The program does the same in any order.
//!
//! Binaryen sorts functions by their names, so here they are named after the places that they shall have.

use anyhow::{Context, Result, bail};
use std::collections::{HashMap, VecDeque};

/// Bytes of a shingle; what functions have in common is counted in shingles.
const SHINGLE: usize = 6;
/// A shingle of more functions than these tells nothing.
const COMMON: usize = 150;
/// Bytes that gzip still sees.
const WINDOW: usize = 30_000;
/// The power of its length that a function's likeness is divided by: at 0 long ones come first, at 1 short ones.
const WEIGHT: f64 = 0.7;

// Numbers of the sections that matter here.
const CUSTOM: u8 = 0;
const IMPORTS: u8 = 2;
const CODE: u8 = 10;

/// The program with its functions named `f00000` and so on, in the order that packs well.
pub(crate) fn named(wasm: &[u8]) -> Result<Vec<u8>> {
    let (mut imported, mut bodies) = (0, Vec::new());
    let mut out = wasm.get(..8).context("this is no WebAssembly")?.to_vec();
    let mut rest = Reader(&wasm[8..]);
    while !rest.0.is_empty() {
        let (kind, mut section) = (rest.byte()?, rest.bytes()?);
        let whole = section.0;
        match kind {
            IMPORTS => imported = section.imports()?,
            CODE => {
                for _ in 0..section.number()? {
                    bodies.push(section.bytes()?.0);
                }
            }
            _ => {}
        }
        // Other names would only be in the way.
        if kind != CUSTOM || section.bytes()?.0 != b"name" {
            write_section(kind, whole, &mut out);
        }
    }
    let mut names = number(bodies.len());
    let mut order: Vec<(usize, usize)> = order(&bodies).into_iter().zip(0..).collect();
    order.sort_unstable();
    for (function, place) in order {
        names.extend(number(imported + function));
        let name = format!("f{place:05}");
        names.extend(number(name.len()));
        names.extend(name.bytes());
    }
    let mut section = [number(4), b"name".to_vec()].concat();
    write_section(1, &names, &mut section);
    write_section(CUSTOM, &section, &mut out);
    Ok(out)
}

/// One after the other, the function that has most in common with those that gzip sees before it.
fn order(bodies: &[&[u8]]) -> Vec<usize> {
    let (shingles, functions) = shingles(bodies);
    let weight: Vec<f64> = shingles.iter().map(|own| (own.len() as f64 + 8.0).powf(-WEIGHT)).collect();
    let (mut seen, mut alike) = (vec![0_u32; functions.len()], vec![0_i32; bodies.len()]);
    let (mut window, mut size) = (VecDeque::new(), 0);
    let mut left: Vec<usize> = (0..bodies.len()).collect();
    let mut order = Vec::with_capacity(bodies.len());
    loop {
        let value = |function: usize| f64::from(alike[function]) * weight[function];
        let best = (0..left.len()).max_by(|&a, &b| value(left[a]).total_cmp(&value(left[b])));
        let Some(next) = best.map(|at| left.remove(at)) else { return order };
        order.push(next);
        window.push_back(next);
        size += bodies[next].len();
        for &shingle in &shingles[next] {
            seen[shingle] += 1;
            if seen[shingle] == 1 {
                functions[shingle].iter().for_each(|&function| alike[function] += 1);
            }
        }
        while size > WINDOW && window.len() > 1 {
            let Some(gone) = window.pop_front() else { break };
            size -= bodies[gone].len();
            for &shingle in &shingles[gone] {
                seen[shingle] -= 1;
                if seen[shingle] == 0 {
                    functions[shingle].iter().for_each(|&function| alike[function] -= 1);
                }
            }
        }
    }
}

/// The shingles of each function, and the functions of each shingle, where these are not too many.
fn shingles(bodies: &[&[u8]]) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
    let mut numbers = HashMap::new();
    let mut functions: Vec<Vec<usize>> = Vec::new();
    let of_function = |(function, body): (usize, &&[u8])| {
        let mut own = Vec::new();
        for shingle in body.windows(SHINGLE) {
            let number = *numbers.entry(shingle.to_vec()).or_insert(functions.len());
            if number == functions.len() {
                functions.push(Vec::new());
            }
            if functions[number].last() != Some(&function) {
                functions[number].push(function);
                own.push(number);
            }
        }
        own
    };
    let shingles = bodies.iter().enumerate().map(of_function).collect();
    functions.iter_mut().filter(|functions| functions.len() > COMMON).for_each(Vec::clear);
    (shingles, functions)
}

/// What is left of a file or of a section.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.0.split_first().context("the WebAssembly ends too early")?;
        self.0 = rest;
        Ok(*first)
    }

    /// A number in LEB128.
    fn number(&mut self) -> Result<usize> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        bail!("the WebAssembly has a number that is too long")
    }

    /// Bytes with their count before them.
    fn bytes(&mut self) -> Result<Self> {
        let count = self.number()?;
        let (taken, rest) = self.0.split_at_checked(count).context("the WebAssembly ends too early")?;
        self.0 = rest;
        Ok(Self(taken))
    }

    /// How many functions are imported.
    fn imports(&mut self) -> Result<usize> {
        let count = self.number()?;
        for _ in 0..count {
            self.bytes()?;
            self.bytes()?;
            if self.byte()? != 0 {
                bail!("the program imports something that is no function");
            }
            self.number()?;
        }
        Ok(count)
    }
}

/// A number as LEB128.
fn number(mut number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

fn write_section(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend(number(bytes.len()));
    out.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive() -> Result<()> {
        for n in [0, 1, 127, 128, 300, 70_000, 4_000_000_000] {
            assert_eq!(Reader(&number(n)).number()?, n);
        }
        assert!(Reader(&[0x80]).number().is_err());
        Ok(())
    }

    #[test]
    fn what_is_alike_comes_together() {
        let of = |from: u8, last: u8| (from..from + 40).chain([last]).collect::<Vec<u8>>();
        let bodies = [of(0, 1), of(100, 1), of(0, 2), of(100, 2), of(0, 3)];
        let order = order(&bodies.each_ref().map(Vec::as_slice));
        let places =
            |all: [usize; 2]| order.iter().position(|&at| at == all[0]).zip(order.iter().position(|&at| at == all[1]));
        assert!(places([1, 3]).is_some_and(|(a, b)| a.abs_diff(b) == 1), "{order:?}");
        let mut all = order.clone();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn functions_get_names() -> Result<()> {
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        write_section(CUSTOM, b"\x04nameold", &mut wasm);
        write_section(IMPORTS, b"\x01\x01a\x01b\x00\x00", &mut wasm);
        write_section(CODE, b"\x02\x02\x00\x0b\x02\x00\x0b", &mut wasm);
        let named = named(&wasm)?;
        assert!(!named.windows(3).any(|bytes| bytes == b"old"));
        assert!(named.windows(14).any(|bytes| bytes[..2] == [2, 1] && &bytes[2..4] == b"\x06f"), "{named:?}");
        assert!(super::named(b"\0asm").is_err());
        Ok(())
    }
}
