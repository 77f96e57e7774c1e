//! Reading one tensor, or some of its rows, in the Hugging Face layout.

use crate::names::tensor;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::memory::grow;

use super::source::PIECE;
use super::{ByteSource, Checkpoint, Element, Place, StoredDtype, TensorInfo, View};

/// Numbers of two matrices that are compared at a time.
const COMPARED: usize = 1 << 20;

impl Checkpoint {
    /// Reads one tensor, converted to f32.
    pub async fn read_f32(&self, name: &str) -> Result<Vec<f32>> {
        let mut values = Vec::new();
        self.append(name, &mut values).await?;
        Ok(values)
    }

    /// Reads one tensor behind what is there already.
    pub async fn append<T: Element>(&self, name: &str, out: &mut Vec<T>) -> Result<()> {
        let (info, place) = self.locate(name)?;
        let mut values = Vec::new();
        match (place.view, info.shape.as_slice()) {
            (View::Plain, _) => return self.read_elements(info, place, 0..info.elements(), out).await,
            (View::Minus(constant), _) => {
                let mut wide = Vec::<f32>::new();
                self.read_elements(info, place, 0..info.elements(), &mut wide).await?;
                values.extend(wide.into_iter().map(|value| T::of(value - constant)));
            }
            (View::Interleaved(heads), &[rows, ..]) => {
                self.read_elements(info, place, 0..info.elements(), &mut values).await?;
                values = split_halves(&values, heads, values.len() / rows.max(1))?;
            }
            (View::Transposed, &[rows, columns]) => {
                self.read_elements(info, place, 0..info.elements(), &mut values).await?;
                values = transpose(&values, rows, columns)?;
            }
            (view, shape) => return Err(impossible(info, view, shape)),
        }
        if out.is_empty() {
            *out = values;
        } else {
            out.extend_from_slice(&values);
        }
        Ok(())
    }

    /// Reads some rows of a matrix, converted to f32: for tables too large to hold at once.
    pub async fn read_rows_f32(&self, name: &str, rows: Range<usize>) -> Result<Vec<f32>> {
        self.read_rows(name, rows).await
    }

    /// Reads some rows of a matrix.
    pub async fn read_rows<T: Element>(&self, name: &str, rows: Range<usize>) -> Result<Vec<T>> {
        let (info, place) = self.locate(name)?;
        let &[count, columns] = info.shape.as_slice() else {
            return Err(Error::input(format!(
                "{}: tensor {} of shape {:?} has no rows",
                info.file,
                tensor(name),
                info.shape
            ))
            .hint("read it whole; only matrices are read by rows"));
        };
        if rows.start > rows.end || rows.end > count {
            return Err(Error::input(format!("{}: rows {rows:?} of {}, which has {count}", info.file, tensor(name)))
                .hint("ask for rows within the matrix"));
        }
        let mut values = Vec::new();
        match place.view {
            View::Plain => {
                self.read_elements(info, place, rows.start * columns..rows.end * columns, &mut values).await?;
            }
            View::Minus(constant) => {
                let mut wide = Vec::<f32>::new();
                self.read_elements(info, place, rows.start * columns..rows.end * columns, &mut wide).await?;
                values.extend(wide.into_iter().map(|value| T::of(value - constant)));
            }
            View::Interleaved(heads) => {
                // A head's rows only move within the head.
                let head = count / heads.max(1);
                let (first, last) = (rows.start / head, rows.end.div_ceil(head));
                let span = first * head * columns..last * head * columns;
                self.read_elements(info, place, span, &mut values).await?;
                let whole = split_halves(&values, last - first, columns)?;
                let skipped = (rows.start - first * head) * columns;
                values = whole[skipped..skipped + rows.len() * columns].to_vec();
            }
            View::Transposed => {
                self.append(name, &mut values).await?;
                values = values[rows.start * columns..rows.end * columns].to_vec();
            }
        }
        Ok(values)
    }

    /// Whether two tensors have one shape and the same numbers, read a few rows at a time.
    pub async fn same(&self, one: &str, other: &str) -> Result<bool> {
        let (first, second) = (self.locate(one)?.0, self.locate(other)?.0);
        let &[count, columns] = first.shape.as_slice() else { return Ok(false) };
        if first.shape != second.shape {
            return Ok(false);
        }
        let step = (COMPARED / columns.max(1)).max(1);
        for start in (0..count).step_by(step) {
            crate::pause::point().await?;
            let rows = start..(start + step).min(count);
            if self.read_rows_f32(one, rows.clone()).await? != self.read_rows_f32(other, rows).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn locate(&self, name: &str) -> Result<(&TensorInfo, &Place)> {
        if let (Some(info), Some(place)) = (self.tensors.get(name), self.places.get(name)) {
            return Ok((info, place));
        }
        Err(self.absent(name))
    }

    /// The error for a tensor that is not there, or not as numbers that can be read.
    pub fn absent(&self, name: &str) -> Error {
        let stem = name.strip_suffix(".weight").unwrap_or(name);
        let stored = |name: &str| self.unreadable.get(name).map(|(dtype, file)| (dtype.clone(), file.clone()));
        if let Some((dtype, file)) = stored(name) {
            return Error::input(format!(
                "{file}: tensor {} is stored as {dtype}; f32, f16 and bf16 can be read",
                tensor(name)
            ))
            .hint("save the model in one of these formats (transformers: model.to(torch.bfloat16))");
        }
        // GPTQ and AWQ pack a matrix into integers; scales stand beside it.
        let packed = ["qweight", "weight_packed", "weight_scale", "weight_scale_inv", "SCB", "weight.absmax"];
        let packed = packed.iter().map(|end| format!("{stem}.{end}")).find(|n| self.has(n) || stored(n).is_some());
        let files: Vec<_> = self.weights.iter().map(|&at| self.sources[at].name()).collect();
        let files = files.join(", ");
        match packed {
            Some(packed) => {
                Error::input(format!("{files}: `{packed}` stands where {} is needed: quantised weights", tensor(name)))
                    .hint("load the model that it was made from, or a .gguf file of it")
            }
            None => Error::input(format!("{files}: there is no tensor {}", tensor(name)))
                .hint("the files are incomplete or belong to another model than config.json"),
        }
    }

    /// Appends stored elements, in stored order; the range starts and ends at block borders.
    async fn read_elements<T: Element>(
        &self,
        info: &TensorInfo,
        place: &Place,
        elements: Range<usize>,
        out: &mut Vec<T>,
    ) -> Result<()> {
        let bits = 8 * size_of::<T>();
        grow(out, elements.len(), format_args!("{}: tensor {} as f{bits}", info.file, tensor(&info.name)))?;
        let source = &*self.sources[place.source];
        let start = place.offset + bytes_of(info.dtype, elements.start);
        decode(source, info.dtype, start, bytes_of(info.dtype, elements.len()), out).await
    }
}

/// The bytes of so many elements, which are whole blocks.
pub(super) fn bytes_of(dtype: StoredDtype, elements: usize) -> u64 {
    let (block, size) = dtype.block();
    elements as u64 / block as u64 * size as u64
}

async fn decode<T: Element>(
    source: &dyn ByteSource,
    dtype: StoredDtype,
    start: u64,
    len: u64,
    out: &mut Vec<T>,
) -> Result<()> {
    let (_, block) = dtype.block();
    let piece = (PIECE / block * block) as u64;
    let mut done = 0;
    while done < len {
        let part = (len - done).min(piece);
        T::decode(dtype, &source.read(start + done, part as usize).await?, out);
        done += part;
    }
    Ok(())
}

/// Within each head, rows `0, 2, 4, ...` are the first half and rows `1, 3, 5, ...` the second.
fn split_halves<T: Element>(stored: &[T], heads: usize, columns: usize) -> Result<Vec<T>> {
    let head = stored.len() / heads.max(1);
    let mut values = Vec::new();
    grow(&mut values, stored.len(), "turning a tensor")?;
    for rows in stored.chunks_exact(head.max(1)) {
        for half in 0..2 {
            for row in rows.chunks_exact(columns.max(1)).skip(half).step_by(2) {
                values.extend_from_slice(row);
            }
        }
    }
    Ok(values)
}

/// From stored `[columns, rows]` to `[rows, columns]`, in tiles that stay in the cache.
fn transpose<T: Element>(stored: &[T], rows: usize, columns: usize) -> Result<Vec<T>> {
    const TILE: usize = 32;
    let mut values = Vec::new();
    grow(&mut values, stored.len(), "turning a tensor")?;
    values.resize(stored.len(), T::default());
    for top in (0..rows).step_by(TILE) {
        for left in (0..columns).step_by(TILE) {
            for row in top..rows.min(top + TILE) {
                for column in left..columns.min(left + TILE) {
                    values[row * columns + column] = stored[column * rows + row];
                }
            }
        }
    }
    Ok(values)
}

fn impossible(info: &TensorInfo, view: View, shape: &[usize]) -> Error {
    Error::input(format!("{}: tensor {} of shape {shape:?} cannot be {view:?}", info.file, tensor(&info.name)))
        .hint("the file is damaged or of another architecture than it says")
}
