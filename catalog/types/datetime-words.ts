/**
 * The words of date/time input: months, days, keywords, and the default time zone abbreviations.
 * Source: PostgreSQL documentation, appendix B.2 and B.4; datetktbl in datetime.c, tznames/Default.
 */

export type DatetimeWord =
    | {readonly kind: 'month'; readonly value: number}
    | {readonly kind: 'dow'}
    | {readonly kind: 'ignore'}
    | {readonly kind: 'meridiem'; readonly value: 'am' | 'pm'}
    | {readonly kind: 'era'; readonly value: 'ad' | 'bc'}
    | {readonly kind: 'daylight'}
    | {readonly kind: 'unit'; readonly value: string}
    | {readonly kind: 'isotime'}
    | {
          readonly kind: 'reserved';
          readonly value: 'now' | 'today' | 'tomorrow' | 'yesterday' | 'allballs' | 'epoch' | 'late' | 'early';
      };

/** PostgreSQL compares no more than this much of a word. */
const TOKEN_MAX = 10;

function makeWords(): ReadonlyMap<string, DatetimeWord> {
    const words = new Map<string, DatetimeWord>();
    const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
    const full = 'january february march april may june july august september october november december'.split(' ');
    for (const [at, month] of months.entries()) words.set(month, {kind: 'month', value: at + 1});
    for (const [at, month] of full.entries()) words.set(month, {kind: 'month', value: at + 1});
    words.set('sept', {kind: 'month', value: 9});
    const days =
        'sun sunday mon monday tue tues tuesday wed weds wednesday thu thur thurs thursday fri friday sat saturday';
    for (const day of days.split(' ')) words.set(day, {kind: 'dow'});
    for (const unit of ['d', 'dow', 'doy', 'h', 'isodow', 'isoyear', 'm', 'mm', 's', 'y']) {
        words.set(unit, {kind: 'unit', value: unit});
    }
    for (const julian of ['j', 'jd', 'julian']) words.set(julian, {kind: 'unit', value: 'julian'});
    for (const value of ['now', 'today', 'tomorrow', 'yesterday', 'allballs', 'epoch'] as const) {
        words.set(value, {kind: 'reserved', value});
    }
    words.set('infinity', {kind: 'reserved', value: 'late'});
    words.set('+infinity', {kind: 'reserved', value: 'late'});
    words.set('-infinity', {kind: 'reserved', value: 'early'});
    for (const value of ['am', 'pm'] as const) words.set(value, {kind: 'meridiem', value});
    for (const value of ['ad', 'bc'] as const) words.set(value, {kind: 'era', value});
    words.set('at', {kind: 'ignore'});
    words.set('on', {kind: 'ignore'});
    words.set('dst', {kind: 'daylight'});
    words.set('t', {kind: 'isotime'});
    return words;
}

const WORDS = makeWords();

export function findWord(text: string): DatetimeWord | undefined {
    return WORDS.get(text) ?? (text.length > TOKEN_MAX ? WORDS.get(text.slice(0, TOKEN_MAX)) : undefined);
}

export function isReservedWord(text: string): boolean {
    return findWord(text) !== undefined;
}

/** Seconds east of Greenwich; `d` marks daylight time. */
const ABBREVIATIONS_TEXT = `
ACDT=37800d ACSST=37800d ACST=34200 ACT=-18000 ACWST=31500 ADT=-10800d AEDT=39600d AESST=39600d AEST=36000 AFT=16200
AKDT=-28800d AKST=-32400 ALMST=25200d ALMT=21600 AMST=14400 AMT=-14400 ANAST=43200 ANAT=43200 ARST=-10800 ART=-10800
AST=-14400 AWSST=32400d AWST=28800 AZOST=0d AZOT=-3600 AZST=14400 AZT=14400 BDST=7200d BDT=21600 BNT=28800 BORT=28800
BOT=-14400 BRA=-10800 BRST=-7200d BRT=-10800 BST=3600d BTT=21600 CADT=37800d CAST=34200 CCT=28800 CDT=-18000d
CEST=7200d CET=3600 CETDST=7200d CHADT=49500d CHAST=45900 CHUT=36000 CKT=-36000 CLST=-10800d CLT=-10800d COT=-18000
CST=-21600 CXT=25200 DAVT=25200 DDUT=36000 EASST=-18000d EAST=-18000d EAT=10800 EDT=-14400d EEST=10800d EET=7200
EETDST=10800d EGST=0d EGT=-3600 EST=-18000 FET=10800 FJST=46800d FJT=43200 FKST=-10800 FKT=-10800 FNST=-3600d
FNT=-7200 GALT=-21600 GAMT=-32400 GEST=14400 GET=14400 GFT=-10800 GILT=43200 GMT=0 GYT=-14400 HKT=28800 HST=-36000
ICT=25200 IDT=10800d IOT=21600 IRKST=28800 IRKT=28800 IRT=12600 IST=7200 JAYT=32400 JST=32400 KDT=36000d KGST=21600d
KGT=21600 KOST=39600 KRAST=25200 KRAT=25200 KST=32400 LHDT=39600d LHST=37800 LIGT=36000 LINT=50400 LKT=19800
MAGST=39600 MAGT=39600 MART=-34200 MAWT=18000 MDT=-21600d MEST=7200d MESZ=7200d MET=3600 METDST=7200d MEZ=3600
MHT=43200 MMT=23400 MPT=36000 MSD=14400d MSK=10800 MST=-25200 MUST=18000d MUT=14400 MVT=18000 MYT=28800 NDT=-9000d
NFT=-12600 NOVST=25200 NOVT=25200 NPT=20700 NST=-12600 NUT=-39600 NZDT=46800d NZST=43200 NZT=43200 OMSST=21600
OMST=21600 PDT=-25200d PET=-18000 PETST=43200 PETT=43200 PGT=36000 PHT=28800 PKST=21600d PKT=18000 PMDT=-7200d
PMST=-10800 PONT=39600 PST=-28800 PWT=32400 PYST=-10800d PYT=-10800 RET=14400 SADT=37800d SAST=7200 SCT=14400
SGT=28800 TAHT=-36000 TFT=18000 TJT=18000 TKT=46800 TMT=18000 TOT=46800 TRUT=36000 TVT=43200 UCT=0 ULAST=32400d
ULAT=28800 UT=0 UTC=0 UYST=-7200d UYT=-10800 UZST=21600d UZT=18000 VET=-14400 VLAST=36000 VLAT=36000 VOLT=10800
VUT=39600 WADT=28800d WAKT=43200 WAST=25200 WAT=3600 WDT=32400d WET=0 WETDST=3600d WFT=43200 WGST=-7200d WGT=-10800
XJT=21600 YAKST=32400 YAKT=32400 YAPT=36000 YEKST=21600d YEKT=18000 Z=0 ZULU=0`;

export interface ZoneAbbreviation {
    readonly offsetSeconds: number;
    readonly daylight: boolean;
}

const ABBREVIATIONS: ReadonlyMap<string, ZoneAbbreviation> = new Map(
    ABBREVIATIONS_TEXT.trim()
        .split(/\s+/)
        .map((entry) => {
            const [name = '', offset = ''] = entry.split('=');
            return [name.toLowerCase(), {offsetSeconds: parseInt(offset, 10), daylight: offset.endsWith('d')}];
        }),
);

export function findZoneAbbreviation(lowerCase: string): ZoneAbbreviation | undefined {
    return ABBREVIATIONS.get(lowerCase);
}
