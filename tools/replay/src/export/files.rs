//! The files of an export: Parquet, Arrow IPC, CSV. Each is written under another name and renamed when it is complete.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, SchemaRef};
use arrow::ipc::writer::FileWriter;
use hoga::tick::RType;
use hoga::tick::columns::{ColumnType, columns};
use hoga_table::Temporary;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, ArrowWriter, ArrowWriterOptions, compute_leaves};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use super::arrays::{Decimals, TooWide, array_of, exact};
use super::rows::{Instruments, Rows};
use super::{ExportError, ExportedFile, Format};

/// One kind's file.
pub struct KindFile {
    kind: RType,
    is_wide: bool,
    rows: u64,
    form: Form,
    file: Temporary,
}

enum Form {
    Parquet {
        writer: Option<Box<SerializedFileWriter<BufWriter<File>>>>,
        factory: ArrowRowGroupWriterFactory,
        groups: usize,
    },
    Arrow(Box<FileWriter<BufWriter<File>>>),
    Csv {
        writer: Box<csv::Writer<BufWriter<File>>>,
        cell: Vec<u8>,
        room: Vec<u64>,
    },
}

impl KindFile {
    /// Begins the file of a kind in a folder.
    pub fn create(
        folder: &Path,
        kind: RType,
        format: Format,
        schema: &SchemaRef,
        is_wide: bool,
    ) -> Result<KindFile, ExportError> {
        let path = folder.join(format!("{}.{}", kind.name(), format.extension()));
        let fail = |source| ExportError::Io { path: path.clone(), source };
        let (temporary, file) = Temporary::create(&path).map_err(fail)?;
        let file = BufWriter::with_capacity(1 << 20, file);
        let form = match format {
            Format::Arrow => Form::Arrow(Box::new(FileWriter::try_new(file, schema)?)),
            Format::Csv => {
                let mut writer = Box::new(csv::Writer::from_writer(file));
                writer
                    .write_record(columns(kind).iter().map(|column| column.name.as_bytes()))
                    .map_err(io::Error::other)
                    .map_err(fail)?;
                Form::Csv { writer, cell: Vec::new(), room: Vec::new() }
            }
            _ => {
                let options = ArrowWriterOptions::new().with_properties(properties(kind, is_wide));
                let writer = ArrowWriter::try_new_with_options(file, Arc::clone(schema), options)?;
                let (writer, factory) = writer.into_serialized_writer()?;
                Form::Parquet { writer: Some(Box::new(writer)), factory, groups: 0 }
            }
        };
        Ok(KindFile { kind, is_wide, rows: 0, form, file: temporary })
    }

    /// Writes a batch, in Parquet as one row group. Columns are made by so many threads.
    pub fn write(
        &mut self,
        rows: &Rows,
        schema: &SchemaRef,
        instruments: &Instruments,
        threads: usize,
    ) -> Result<(), ExportError> {
        let columns = columns(self.kind);
        let kind = self.kind;
        match &mut self.form {
            Form::Parquet { writer, factory, groups } => {
                let Some(writer) = writer else { return Ok(()) };
                let writers = factory.create_column_writers(*groups)?;
                let writers: Vec<_> = writers.into_iter().map(|writer| Mutex::new(Some(writer))).collect();
                let encode = |index: usize| {
                    let taken = writers[index].lock().ok().and_then(|mut writer| writer.take());
                    let Some(mut writer) = taken else { return Err(ExportError::Ended) };
                    let array = array_of(rows, &columns[index], instruments, self.is_wide, Decimals::Bits64)
                        .map_err(|TooWide| ExportError::TooWide(kind))?;
                    // The file's schema is the writer's; this is of the array as it lies in memory.
                    let field = Field::new(
                        schema.field(index).name(),
                        array.data_type().clone(),
                        schema.field(index).is_nullable(),
                    );
                    for leaf in compute_leaves(&field, &array)? {
                        writer.write(&leaf)?;
                    }
                    Ok(writer.close()?)
                };
                let chunks = each_column(columns.len(), threads_for(rows, threads), encode)?;
                *groups += 1;
                let mut group = writer.next_row_group()?;
                for chunk in chunks {
                    chunk.append_to_row_group(&mut group)?;
                }
                group.close()?;
            }
            Form::Arrow(writer) => {
                let array = |index: usize| {
                    let array = array_of(rows, &columns[index], instruments, self.is_wide, Decimals::Bits128)
                        .map_err(|TooWide| ExportError::TooWide(kind))?;
                    Ok(exact(array, schema.field(index).data_type())?)
                };
                let arrays = each_column(columns.len(), threads_for(rows, threads), array)?;
                writer.write(&RecordBatch::try_new(Arc::clone(schema), arrays)?)?;
            }
            Form::Csv { writer, cell, room } => {
                let fail = |error: csv::Error| ExportError::Io {
                    path: self.file.path().to_owned(),
                    source: io::Error::other(error),
                };
                for index in 0..rows.len() {
                    let row = rows.row(index, instruments, room);
                    for column in columns {
                        cell.clear();
                        column.write_text(&row, cell);
                        writer.write_field(&cell).map_err(fail)?;
                    }
                    writer.write_record(None::<&[u8]>).map_err(fail)?;
                }
            }
        }
        self.rows += rows.len() as u64;
        Ok(())
    }

    /// Rows written.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Completes the file and waits for the disk.
    pub fn complete(&mut self) -> Result<(), ExportError> {
        let path = self.file.path().to_owned();
        let fail = |source| ExportError::Io { path: path.clone(), source };
        match &mut self.form {
            Form::Parquet { writer, .. } => {
                if let Some(writer) = writer.take() {
                    writer
                        .into_inner()?
                        .into_inner()
                        .map_err(|error| fail(error.into_error()))?
                        .sync_all()
                        .map_err(fail)?;
                }
            }
            Form::Arrow(writer) => {
                writer.finish()?;
                writer.get_mut().flush().and_then(|()| writer.get_ref().get_ref().sync_all()).map_err(fail)?;
            }
            Form::Csv { writer, .. } => {
                writer.flush().and_then(|()| writer.get_ref().get_ref().sync_all()).map_err(fail)?;
            }
        }
        Ok(())
    }

    /// Gives the file its name, in the place of one that is there.
    pub fn publish(self) -> Result<ExportedFile, ExportError> {
        let path = self.file.path().to_owned();
        let publish = || {
            self.file.publish()?;
            Ok(fs::metadata(&path)?.len())
        };
        let bytes = publish().map_err(|source| ExportError::Io { path: path.clone(), source })?;
        Ok(ExportedFile { kind: Some(self.kind), path, rows: self.rows, bytes })
    }
}

impl std::fmt::Debug for KindFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KindFile").field("path", &self.file.path()).field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// Threads that are worth it: they cost more than they help with a few rows.
fn threads_for(rows: &Rows, threads: usize) -> usize {
    if rows.len() < 4096 { 1 } else { threads }
}

/// Makes something of each column, several at a time; what is made is in the order of the columns.
fn each_column<T: Send>(
    columns: usize,
    threads: usize,
    make: impl Fn(usize) -> Result<T, ExportError> + Sync,
) -> Result<Vec<T>, ExportError> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= columns {
                return done;
            }
            done.push((index, make(index)));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for helper in helpers {
            match helper.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, made)| made).collect()
}

/// Statistics of every row group, of columns that a reader chooses by; zstd; the encoding that fits what a column holds.
fn properties(kind: RType, is_wide: bool) -> WriterProperties {
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by(concat!("hoga-replay ", env!("CARGO_PKG_VERSION")).to_owned());
    for column in columns(kind) {
        let path = ColumnPath::from(column.name.as_ref());
        // What runs up or wanders is small as differences; a dictionary of it would be larger than itself. Wide decimals
        // are bytes, which have no differences.
        let runs = matches!(
            column.ty,
            ColumnType::Qty
                | ColumnType::Change
                | ColumnType::Timestamp
                | ColumnType::EventTimestamp
                | ColumnType::Number
                | ColumnType::Count
                | ColumnType::Date
        ) || (column.ty == ColumnType::Turnover && !is_wide);
        if runs {
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED);
        }
        // Least and greatest of such a text tell nobody which row groups to leave out, and cost two comparisons a value.
        if matches!(column.ty, ColumnType::Flags | ColumnType::Findings | ColumnType::Code) {
            builder = builder.set_column_statistics_enabled(path, EnabledStatistics::None);
        }
    }
    builder.build()
}
