//! Numbers stored in records for feeds, venues and transactions. A number is never reused.

/// A broker whose feed is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Feed {
    /// hoga itself (calendar, service records).
    Hoga,
    /// Korea Investment & Securities.
    Kis,
    /// Kiwoom Securities.
    Kiwoom,
    /// LS Securities.
    Ls,
}

impl Feed {
    /// Name as on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Feed::Hoga => "hoga",
            Feed::Kis => "kis",
            Feed::Kiwoom => "kiwoom",
            Feed::Ls => "ls",
        }
    }
}

/// Feed and venue of a record, `Header::publisher`.
#[repr(u16)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Publisher {
    /// hoga itself.
    Hoga = 0,
    /// KIS, Korea Exchange stocks, ELW and indices.
    KisKrx = 1,
    /// KIS, Nextrade.
    KisNxt = 2,
    /// KIS, KRX and NXT unified.
    KisUn = 3,
    /// KIS, KRX derivatives, day session.
    KisKrxDeriv = 4,
    /// KIS, KRX derivatives, night session.
    KisKrxNight = 5,
    /// KIS, KRX bonds.
    KisKrxBond = 6,
    /// KIS, overseas stocks.
    KisOverseas = 7,
    /// KIS, overseas derivatives.
    KisOverseasDeriv = 8,
    /// KIS, account notices.
    KisAccount = 9,
}

impl Publisher {
    /// All publishers in the order of their numbers.
    pub const ALL: [Publisher; 10] = [
        Publisher::Hoga,
        Publisher::KisKrx,
        Publisher::KisNxt,
        Publisher::KisUn,
        Publisher::KisKrxDeriv,
        Publisher::KisKrxNight,
        Publisher::KisKrxBond,
        Publisher::KisOverseas,
        Publisher::KisOverseasDeriv,
        Publisher::KisAccount,
    ];

    /// The publisher of a number, if this build knows it.
    pub fn from_number(number: u16) -> Option<Publisher> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The broker.
    pub fn feed(self) -> Feed {
        match self {
            Publisher::Hoga => Feed::Hoga,
            _ => Feed::Kis,
        }
    }

    /// Name of the venue, or of the market where one feed serves a whole one: JSON key `venue`.
    pub fn venue(self) -> &'static str {
        match self {
            Publisher::Hoga => "hoga",
            Publisher::KisKrx => "KRX",
            Publisher::KisNxt => "NXT",
            Publisher::KisUn => "UN",
            Publisher::KisKrxDeriv => "KRX-deriv",
            Publisher::KisKrxNight => "KRX-night",
            Publisher::KisKrxBond => "KRX-bond",
            Publisher::KisOverseas => "overseas",
            Publisher::KisOverseasDeriv => "overseas-deriv",
            Publisher::KisAccount => "account",
        }
    }
}

/// `Market::tr` of a record that came from no known transaction.
pub const TR_NONE: u16 = 0;

/// Transactions of KIS by number, the first is 1. New ones are appended, whatever their letter.
const KIS_TRS: [&str; 63] = [
    "H0BICNT0", "H0BJASP0", "H0BJCNT0", "H0CFASP0", "H0CFCNT0", "H0EUANC0", "H0EUASP0", "H0EUCNI0", "H0EUCNT0",
    "H0EWANC0", "H0EWASP0", "H0EWCNT0", "H0GSCNI0", "H0GSCNI9", "H0IFASP0", "H0IFCNI0", "H0IFCNI9", "H0IFCNT0",
    "H0IOASP0", "H0IOCNT0", "H0MFASP0", "H0MFCNI0", "H0MFCNT0", "H0NXANC0", "H0NXASP0", "H0NXCNT0", "H0NXMBC0",
    "H0NXMKO0", "H0NXPGM0", "H0STANC0", "H0STASP0", "H0STCNI0", "H0STCNI9", "H0STCNT0", "H0STMBC0", "H0STMKO0",
    "H0STNAV0", "H0STOAA0", "H0STOAC0", "H0STOUP0", "H0STPGM0", "H0UNANC0", "H0UNASP0", "H0UNCNT0", "H0UNMBC0",
    "H0UNMKO0", "H0UNPGM0", "H0UPANC0", "H0UPCNT0", "H0UPPGM0", "H0ZFANC0", "H0ZFASP0", "H0ZFCNT0", "H0ZOANC0",
    "H0ZOASP0", "H0ZOCNT0", "HDFFF010", "HDFFF020", "HDFFF1C0", "HDFFF2C0", "HDFSASP0", "HDFSASP1", "HDFSCNT0",
];

/// Name of a transaction number, e.g. `H0STCNT0`.
pub fn tr_name(number: u16) -> Option<&'static str> {
    KIS_TRS.get(usize::from(number).checked_sub(1)?).copied()
}

/// Number of a transaction name. Linear: for tables built at start, not for frames.
pub fn tr_number(name: &str) -> Option<u16> {
    let index = KIS_TRS.iter().position(|tr| *tr == name)?;
    u16::try_from(index + 1).ok()
}
