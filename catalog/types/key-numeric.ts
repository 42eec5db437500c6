/**
 * Order-preserving encoding of numeric: class byte, decimal exponent, then pairs of significant digits.
 * Layout: class (10 -Infinity, 20 negative, 30 zero, 40 positive, 50 Infinity, 60 NaN). Finite non-zero values add the
 * exponent (int32, order-preserving; value = 0.ddd * 10^exponent), digit pairs plus one (01..64), and 00; those of
 * negative values are inverted bit by bit.
 *
 * What must stay true: zeros that carry no value do not show, so equal numbers have equal keys.
 */
import type {KeyWriter} from './key-writer.ts';

export function encodeNumeric(value: string, target: KeyWriter): void {
    if (value === 'NaN') return target.byte(0x60);
    if (value === 'Infinity') return target.byte(0x50);
    if (value === '-Infinity') return target.byte(0x10);
    const negative = value.charCodeAt(0) === 45;
    const point = value.indexOf('.');
    const integer = value.slice(negative ? 1 : 0, point < 0 ? value.length : point);
    const digits = point < 0 ? integer : integer + value.slice(point + 1);
    let first = 0;
    while (first < digits.length && digits.charCodeAt(first) === 48) first++;
    if (first === digits.length) return target.byte(0x30);
    let end = digits.length;
    while (digits.charCodeAt(end - 1) === 48) end--;
    target.byte(negative ? 0x20 : 0x40);
    const start = target.length;
    target.int32(integer.length - first);
    for (let at = first; at < end; at += 2) {
        const low = at + 1 < end ? digits.charCodeAt(at + 1) - 48 : 0;
        target.byte((digits.charCodeAt(at) - 48) * 10 + low + 1);
    }
    target.byte(0);
    if (negative) target.invertFrom(start);
}
