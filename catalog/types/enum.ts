/**
 * Enums: values are labels, ordered as declared. Source: PostgreSQL documentation, "Enumerated Types".
 *
 * What must stay true: the order of labels comes from pg_enum.enumsortorder, which a label keeps for life; so index keys
 * made of it survive ALTER TYPE … ADD VALUE BEFORE.
 */
import {strict as assert} from 'node:assert';
import {PgError} from '../errors.ts';
import {codec, makeType} from './pg-type.ts';
import type {PgType} from './pg-type.ts';
import {decodeUtf8} from './utf8.ts';

const sortOrdersOf = new WeakMap<readonly string[], ReadonlyMap<string, number>>();

export interface EnumDeclaration {
    readonly oid: number;
    readonly arrayOid: number;
    readonly name: string;
    readonly labels: readonly string[];
    readonly sortOrders?: readonly number[];
}

/** enumsortorder of a label of an enum type (or of a domain over one). */
export function enumSortOrder(type: PgType, label: string): number {
    const order = sortOrdersOf.get(type.labels)?.get(label);
    assert(order !== undefined, `"${label}" is no label of ${type.name}`);
    return order;
}

export function enumType(declaration: EnumDeclaration): PgType {
    const labels = [...declaration.labels];
    const orders = new Map(labels.map((label, at) => [label, declaration.sortOrders?.[at] ?? at + 1]));
    sortOrdersOf.set(labels, orders);
    const check = (text: string): string => {
        if (orders.has(text)) return text;
        throw new PgError('22P02', `invalid input value for enum ${declaration.name}: "${text}"`);
    };
    return makeType(
        {
            oid: declaration.oid,
            name: declaration.name,
            sqlName: declaration.name,
            length: 4,
            category: 'E',
            preferred: false,
            arrayOid: declaration.arrayOid,
            elementOid: 0,
            element: undefined,
            kind: 'enum',
            baseOid: declaration.oid,
            base: undefined,
            notNull: false,
            labels,
        },
        codec<string>({
            parse: check,
            print: (value) => value,
            receive: (bytes, offset, length) => check(decodeUtf8(bytes, offset, length)),
            send: (value) => Buffer.from(value, 'utf8'),
            compare: (a, b) => (orders.get(a) ?? 0) - (orders.get(b) ?? 0),
            hashKey: (value) => value,
        }),
    );
}
