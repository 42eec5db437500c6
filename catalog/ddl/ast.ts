/**
 * Reading libpg-query's parse trees: plain objects in which absent fields are defaults, and each node is wrapped in an
 * object with one key, its kind.
 *
 * What must stay true: nothing here throws on a tree of an unexpected shape; it reads as empty.
 */

export type AstFields = {readonly [field: string]: unknown};

/** A node unwrapped: its kind and its fields. */
export interface AstNode {
    readonly kind: string;
    readonly fields: AstFields;
}

const EMPTY: AstFields = {};

export function asFields(value: unknown): AstFields {
    return typeof value === 'object' && value !== null ? (value as AstFields) : EMPTY;
}

export function unwrap(value: unknown): AstNode {
    const [entry] = Object.entries(asFields(value));
    return entry === undefined ? {kind: '', fields: EMPTY} : {kind: entry[0], fields: asFields(entry[1])};
}

export function nodesOf(fields: AstFields, field: string): AstNode[] {
    const value = fields[field];
    if (Array.isArray(value)) return value.map(unwrap);
    const list = unwrap(value);
    return list.kind === 'List' ? nodesOf(list.fields, 'items') : [];
}

export function textOf(fields: AstFields, field: string): string | undefined {
    const value = fields[field];
    return typeof value === 'string' ? value : undefined;
}

/** Absent = 0: libpg-query leaves out zeros. */
export function numberOf(fields: AstFields, field: string): number {
    const value = fields[field];
    return typeof value === 'number' ? value : 0;
}

export function isTrue(fields: AstFields, field: string): boolean {
    return fields[field] === true;
}

/** A relation as written. */
export interface RelationName {
    readonly schema: string | undefined;
    readonly name: string;
    /** Byte offset. */
    readonly location: number;
}

export function relationOf(fields: AstFields, field: string): RelationName {
    const range = asFields(fields[field]);
    return {
        schema: textOf(range, 'schemaname'),
        name: textOf(range, 'relname') ?? '',
        location: numberOf(range, 'location'),
    };
}

/** Text of an option's value: string, number, boolean or bare word (which parses as a type name). */
export function valueText(value: unknown): string | undefined {
    const node = unwrap(value);
    switch (node.kind) {
        case 'String':
            return textOf(node.fields, 'sval') ?? '';
        case 'Integer':
            return String(numberOf(node.fields, 'ival'));
        case 'Float':
            return textOf(node.fields, 'fval');
        case 'Boolean':
            return isTrue(node.fields, 'boolval') ? 'true' : 'false';
        case 'TypeName':
            return nodesOf(node.fields, 'names')
                .map((name) => textOf(name.fields, 'sval') ?? '')
                .filter((name) => name !== 'pg_catalog')
                .join('.');
        default:
            return undefined;
    }
}
