//! `hoga decode`: frames on stdin to JSON records on stdout. A pure function of the frames: no journal, no clock.

use std::io::{self, BufRead, BufWriter, Write};
use std::process::ExitCode;

use clap::ValueEnum;

use crate::feed::kis::control::{Control, is_control};
use crate::feed::kis::{Decoder, DecoderConfig};
use crate::feed::{FrameContext, RecordSink};
use crate::tick::{JsonForm, Names, RType, RecordView, RejectPrefix, RejectReason, view, words_of, write_json};

/// Decode a broker's frames: one a line on stdin, one JSON record a line on stdout.
///
/// Rejects go to stderr, one JSON object each with its reason; a line that counts them closes stderr. Control frames (JSON)
/// are counted. The exit status is 0, with --strict 1 when anything was rejected.
///
/// Examples:
///   hoga decode --feed kis < frames.txt
///   hoga decode --feed kis --strict < frames.txt | jq -c '[.symbol, .px, .qty]'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// Whose frames they are.
    #[arg(long, value_enum)]
    feed: FeedName,
    /// Exit with status 1 when any frame or record was rejected.
    #[arg(long)]
    strict: bool,
    /// Print control frames too, as objects of type "control", without secrets.
    #[arg(long)]
    control: bool,
    /// Hold trades against cumulative volume: findings and GAP_BEFORE. For frames of one session, in order.
    #[arg(long)]
    continuity: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FeedName {
    /// Korea Investment & Securities.
    Kis,
    /// Kiwoom Securities (not supported yet).
    Kiwoom,
    /// LS Securities (not supported yet).
    Ls,
}

/// Most instruments of one run.
const INSTRUMENTS_MAX: usize = 1 << 20;

/// Bytes gathered before they are written.
const OUT_BYTES: usize = 1 << 16;

/// Runs the subcommand on stdin.
pub fn run(args: Args) -> ExitCode {
    if args.feed != FeedName::Kis {
        let name = args.feed.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        eprintln!("hoga decode: the feed {name} is not supported yet; this version decodes kis");
        return ExitCode::from(2);
    }
    match decode(&args, &mut io::stdin().lock(), io::stdout().lock(), &mut BufWriter::new(io::stderr().lock())) {
        Ok(rejects) => ExitCode::from(u8::from(args.strict && rejects > 0)),
        // Nobody reads on: no fault of ours.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hoga decode: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Decodes all lines; returns the number of rejects.
fn decode(args: &Args, input: &mut impl BufRead, out: impl Write, errors: &mut impl Write) -> io::Result<u64> {
    let mut config = DecoderConfig::default();
    config.continuity = args.continuity;
    config.instruments_max = if args.continuity { config.instruments_max } else { INSTRUMENTS_MAX };
    let mut decoder = Decoder::new(config);
    let mut sink =
        Sink { out, text: Vec::with_capacity(2 * OUT_BYTES), errors, rejects: 0, names: Vec::new(), failed: None };
    let mut context = FrameContext::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let frame = line.strip_suffix(b"\n").unwrap_or(&line);
        let frame = frame.strip_suffix(b"\r").unwrap_or(frame);
        if frame.is_empty() {
            continue;
        }
        context.raw_sequence += 1;
        if is_control(frame) {
            sink.control(frame, &context, args.control);
        }
        decoder.decode(&context, frame, || 0, &mut sink);
        if let Some(error) = sink.failed.take() {
            return Err(error);
        }
        if sink.text.len() >= OUT_BYTES {
            sink.flush()?;
        }
    }
    sink.flush()?;
    sink.out.flush()?;
    let counters = decoder.counters();
    writeln!(
        sink.errors,
        "{} rejects, {} frames, {} records, {} control frames, {} records with surplus fields, {} with unreadable fields",
        sink.rejects,
        counters.frames,
        counters.records_total(),
        counters.control_frames,
        counters.schema_extra,
        counters.fields_unreadable
    )?;
    sink.errors.flush()?;
    Ok(sink.rejects)
}

/// Writes market records as JSON, and rejects to the errors.
struct Sink<'a, O: Write, E: Write> {
    out: O,
    text: Vec<u8>,
    errors: &'a mut E,
    rejects: u64,
    /// Symbol and market by id, the first of id 1.
    names: Vec<(String, String)>,
    failed: Option<io::Error>,
}

impl<O: Write, E: Write> Sink<'_, O, E> {
    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.text)?;
        self.text.clear();
        Ok(())
    }

    fn control(&mut self, frame: &[u8], context: &FrameContext, print: bool) {
        let value = match Control::parse(frame) {
            Err(reason) => return self.reject_control(frame, context, reason),
            Ok(_) if !print => return,
            Ok(Control::PingPong) => serde_json::json!({"type": "control", "control": "pingpong"}),
            Ok(Control::Ack(answer)) => answer_json("ack", &answer),
            Ok(Control::Error(answer)) => answer_json("error", &answer),
            Ok(Control::Unknown) => serde_json::json!({"type": "control", "control": "unknown"}),
        };
        self.text.extend_from_slice(value.to_string().as_bytes());
        self.text.push(b'\n');
    }

    fn reject_control(&mut self, frame: &[u8], context: &FrameContext, reason: RejectReason) {
        let stored = &frame[..frame.len().min(crate::tick::REJECT_BYTES)];
        let mut prefix: RejectPrefix = bytemuck::Zeroable::zeroed();
        prefix.header.length = (size_of::<RejectPrefix>() + stored.len()) as u32;
        prefix.header.rtype = RType::Reject as u8;
        prefix.raw_sequence = context.raw_sequence;
        prefix.frame_bytes = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        prefix.stored = stored.len() as u16;
        prefix.reason = reason as u8;
        self.record_with_tail(words_of(&mut prefix), stored);
    }

    fn write(&mut self, bytes: &[u8]) {
        let Some(record) = view(bytes) else { return };
        let id = match &record {
            RecordView::Instrument(instrument) => {
                self.names.push((instrument.key.symbol().into_owned(), instrument.key.market().into_owned()));
                return;
            }
            RecordView::Gap(_) | RecordView::Session(_) => return,
            RecordView::Reject(..) => {
                self.rejects += 1;
                let mut text = Vec::new();
                write_json(&mut text, &record, Names::default(), JsonForm::Decoded);
                text.push(b'\n');
                if let Err(error) = self.errors.write_all(&text) {
                    self.failed.get_or_insert(error);
                }
                return;
            }
            _ => bytemuck::pod_read_unaligned::<crate::tick::Header>(&bytes[..crate::tick::HEADER_BYTES]).instrument_id,
        };
        let name = (id as usize).checked_sub(1).and_then(|index| self.names.get(index));
        let names = name.map_or(Names::default(), |(symbol, market)| Names { symbol, market });
        write_json(&mut self.text, &record, names, JsonForm::Decoded);
        self.text.push(b'\n');
    }
}

fn answer_json(control: &str, answer: &crate::feed::kis::control::Answer) -> serde_json::Value {
    let tr_key = if answer.is_notice() { "***" } else { &answer.tr_key };
    serde_json::json!({
        "type": "control", "control": control, "tr_id": answer.tr_id, "tr_key": tr_key, "code": answer.code,
        "rt_cd": answer.rt_cd, "text": answer.text, "encrypted": answer.encrypted,
    })
}

impl<O: Write, E: Write> RecordSink for Sink<'_, O, E> {
    fn record(&mut self, words: &mut [u64]) {
        let bytes: &[u8] = bytemuck::cast_slice(words);
        let length = bytemuck::pod_read_unaligned::<u32>(&bytes[..4]) as usize;
        self.write(&bytes[..length.min(bytes.len())]);
    }

    fn record_with_tail(&mut self, prefix: &mut [u64], tail: &[u8]) {
        let mut bytes = bytemuck::cast_slice::<u64, u8>(prefix).to_vec();
        bytes.extend_from_slice(tail);
        self.write(&bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_on(args: &[&str], input: &[u8]) -> (String, String, u64) {
        use clap::Parser as _;
        #[derive(clap::Parser)]
        struct Whole {
            #[command(flatten)]
            args: Args,
        }
        let whole = Whole::parse_from(["decode", "--feed", "kis"].iter().chain(args));
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let rejects = decode(&whole.args, &mut &input[..], &mut out, &mut errors).unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(errors).unwrap(), rejects)
    }

    #[test]
    fn lines_end_as_they_like_and_blank_ones_are_nothing() {
        let nav = "0|H0STNAV0|001|069500^37235.46^5^-381.26^-1.01^37646.25^37646.25^37202.10";
        let (out, errors, rejects) = run_on(&[], format!("{nav}\r\n\n\r\n{nav}\n{nav}").as_bytes());
        assert_eq!((out.lines().count(), rejects), (3, 0));
        let first: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
        assert_eq!((first["type"].as_str(), first["symbol"].as_str()), (Some("nav"), Some("069500")));
        assert_eq!(first["px"].to_string(), "37235.46");
        assert!(errors.starts_with("0 rejects, 3 frames, 3 records"), "{errors}");
    }

    #[test]
    fn rejects_and_control_frames_are_told_apart() {
        let input = b"hello\n{\"header\":{\"tr_id\":\"PINGPONG\"}}\n{broken\n0|H0STCNT0|001|\xff\xfe\n1|H0STCNI0|001|c2VjcmV0\n";
        let (out, errors, rejects) = run_on(&["--control"], input);
        assert_eq!(out, "{\"type\":\"control\",\"control\":\"pingpong\"}\n");
        let reasons: Vec<String> = errors
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .map(|reject| reject["reason"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(reasons, ["unknown_message", "bad_json", "too_narrow", "encrypted"]);
        assert!(!errors.contains("c2VjcmV0"));
        assert_eq!(rejects, 4);
        assert!(errors.lines().last().unwrap().starts_with("4 rejects, 3 frames, 0 records, 2 control frames"));
    }
}
