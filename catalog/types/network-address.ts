/**
 * Internet addresses: reading and writing IPv4 and IPv6 with their prefix length.
 * Source: PostgreSQL documentation, "Network Address Types"; inet_net_pton.c and inet_net_ntop.c.
 */

export interface NetworkAddress {
    /** 4 or 16 bytes. */
    readonly bytes: readonly number[];
    /** Prefix length, 0..32 or 0..128. */
    readonly bits: number;
}

/** Undefined when the text is no address. `cidr`: missing octets and prefix are filled in by class. */
export function readAddress(text: string, cidr: boolean): NetworkAddress | undefined {
    const match = /^([0-9a-fA-F:.]+)(?:\/(\d{1,3}))?$/.exec(text);
    if (match === null) return undefined;
    const address = match[1] ?? '';
    const bits = match[2] === undefined ? undefined : Number(match[2]);
    if (!address.includes(':')) return readVersion4(address, bits, cidr);
    // Leading zeros of the prefix are accepted for IPv4 alone.
    return match[2] !== undefined && /^0\d/.test(match[2]) ? undefined : readVersion6(address, bits);
}

function readVersion4(text: string, bits: number | undefined, cidr: boolean): NetworkAddress | undefined {
    const octets = readOctets(text);
    if (octets === undefined || (bits !== undefined && bits > 32)) return undefined;
    const given = octets.length;
    let prefix = bits;
    if (prefix === undefined) {
        if (cidr) prefix = classPrefix(octets);
        else if (given === 4) prefix = 32;
        else return undefined;
    }
    if (!cidr && Math.floor(prefix / 8) > given) return undefined;
    while (octets.length < 4) octets.push(0);
    return {bytes: octets, bits: prefix};
}

/** One to four decimal octets. */
function readOctets(text: string): number[] | undefined {
    const parts = text.split('.');
    if (parts.length > 4) return undefined;
    const octets: number[] = [];
    for (const part of parts) {
        const value = Number(part);
        if (!/^\d+$/.test(part) || value > 255) return undefined;
        octets.push(value);
    }
    return octets;
}

function classPrefix(octets: readonly number[]): number {
    const first = octets[0] ?? 0;
    const byClass = first >= 240 ? 32 : first >= 224 ? 8 : first >= 192 ? 24 : first >= 128 ? 16 : 8;
    const bits = Math.max(byClass, octets.length * 8);
    return bits === 8 && first === 224 ? 4 : bits;
}

function readVersion6(text: string, bits: number | undefined): NetworkAddress | undefined {
    if (bits !== undefined && bits > 128) return undefined;
    const halves = text.split('::');
    if (halves.length > 2) return undefined;
    const head = readGroups(halves[0] ?? '', halves.length === 1);
    const tail = halves.length === 2 ? readGroups(halves[1] ?? '', true) : [];
    if (head === undefined || tail === undefined) return undefined;
    const missing = 16 - head.length - tail.length;
    if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
    const bytes = [...head, ...Array.from({length: missing}, () => 0), ...tail];
    return {bytes, bits: bits ?? 128};
}

/** Groups between colons as bytes; the last may be a dotted quad. */
function readGroups(text: string, mayEndInQuad: boolean): number[] | undefined {
    const bytes: number[] = [];
    if (text === '') return bytes;
    const groups = text.split(':');
    for (const [at, group] of groups.entries()) {
        if (group.includes('.')) {
            const quad = mayEndInQuad && at === groups.length - 1 ? readOctets(group) : undefined;
            if (quad?.length !== 4) return undefined;
            bytes.push(...quad);
            continue;
        }
        if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
        const value = parseInt(group, 16);
        bytes.push(value >> 8, value & 255);
    }
    return bytes;
}

/** True when the address has bits set to the right of its prefix. */
export function hasHostBits(address: NetworkAddress): boolean {
    return address.bytes.some((byte, at) => (byte & ~maskByte(address.bits, at)) !== 0);
}

function maskByte(bits: number, at: number): number {
    const left = Math.min(8, Math.max(0, bits - at * 8));
    return (0xff << (8 - left)) & 0xff;
}

/** The address with all bits right of the prefix cleared. */
export function networkOf(address: NetworkAddress): NetworkAddress {
    return {bytes: address.bytes.map((byte, at) => byte & maskByte(address.bits, at)), bits: address.bits};
}

/** `alwaysPrefix`: cidr shows the prefix even when it covers the whole address. */
export function printAddress(address: NetworkAddress, alwaysPrefix: boolean): string {
    const text = address.bytes.length === 4 ? address.bytes.join('.') : printVersion6(address.bytes);
    return alwaysPrefix || address.bits !== address.bytes.length * 8 ? `${text}/${address.bits}` : text;
}

function printVersion6(bytes: readonly number[]): string {
    const words = Array.from({length: 8}, (_, at) => (bytes[at * 2] ?? 0) * 256 + (bytes[at * 2 + 1] ?? 0));
    let bestStart = -1;
    let bestLength = 1;
    for (let at = 0; at < 8;) {
        let end = at;
        while (end < 8 && words[end] === 0) end++;
        if (end - at > bestLength) {
            bestStart = at;
            bestLength = end - at;
        }
        at = Math.max(end, at + 1);
    }
    const asQuad =
        bestStart === 0 &&
        (bestLength === 6 || (bestLength === 7 && words[7] !== 1) || (bestLength === 5 && words[5] === 0xffff));
    const shown = words.slice(0, asQuad ? 6 : 8).map((word) => word.toString(16));
    if (asQuad) shown.push(bytes.slice(12).join('.'));
    if (bestStart < 0) return shown.join(':');
    const after = Math.min(bestStart + bestLength, asQuad ? 6 : 8);
    return `${shown.slice(0, bestStart).join(':')}::${shown.slice(after).join(':')}`;
}

/** Order of inet and cidr: family, network part, prefix length, whole address. */
export function compareAddresses(a: NetworkAddress, b: NetworkAddress): number {
    if (a.bytes.length !== b.bytes.length) return a.bytes.length - b.bytes.length;
    return (
        compareBits(a.bytes, b.bytes, Math.min(a.bits, b.bits)) ||
        a.bits - b.bits ||
        compareBits(a.bytes, b.bytes, a.bytes.length * 8)
    );
}

function compareBits(a: readonly number[], b: readonly number[], bits: number): number {
    for (let at = 0; at * 8 < bits; at++) {
        const mask = maskByte(bits, at);
        const order = ((a[at] ?? 0) & mask) - ((b[at] ?? 0) & mask);
        if (order !== 0) return order;
    }
    return 0;
}
