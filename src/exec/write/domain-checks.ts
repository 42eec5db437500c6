/**
 * What a domain asks of its values: NOT NULL and CHECK of the domain and of all domains beneath it, and its default.
 * Source: PostgreSQL documentation, CREATE DOMAIN; messages as in execExprInterp.c.
 *
 * What must stay true: a check is an expression over VALUE, compiled as one over a table of the single column `value`;
 * what does not compile is reported by `Unsupported`, never skipped.
 */
import type {TypeDescriptor} from '../../../catalog/catalog-change.ts';
import type {ColumnDescriptor, TableDescriptor} from '../../../catalog/descriptor.ts';
import {PgError} from '../../../catalog/errors.ts';
import type {Datum} from '../../../catalog/types/datum.ts';
import {bindCheck} from '../../sql/binder/bind.ts';
import type {BindContext} from '../../sql/binder/context.ts';
import {compileExpression, type CompileScope, type Frame} from '../../sql/compile/compile-expression.ts';
import {pendingVersion} from '../point/read.ts';

export type DomainLookup = (oid: number) => TypeDescriptor | undefined;

/** Raises 23502 or 23514 for a value that the domain does not allow. */
export type DomainCheck = (value: Datum, frame: Frame) => void;

/** undefined when the column's type is no domain, or one that allows everything. Throws Unsupported. */
export function compileDomain(
    column: ColumnDescriptor,
    like: TableDescriptor,
    domainOf: DomainLookup,
    bindContext: BindContext,
    scope: CompileScope,
): DomainCheck | undefined {
    const checks: DomainCheck[] = [];
    for (let domain = domainOf(column.type.oid); domain?.base !== undefined; domain = domainOf(domain.base.oid)) {
        // The domain beneath is checked first.
        checks.unshift(...checksOf(domain, like, bindContext, scope));
    }
    if (checks.length === 0) return undefined;
    return (value, frame) => {
        for (const check of checks) check(value, frame);
    };
}

function checksOf(
    domain: TypeDescriptor,
    like: TableDescriptor,
    bindContext: BindContext,
    scope: CompileScope,
): DomainCheck[] {
    const checks: DomainCheck[] = [];
    const fields = {schema: domain.schema, dataType: domain.name};
    if (domain.notNull) {
        checks.push((value) => {
            if (value === null) throw new PgError('23502', `domain ${domain.name} does not allow null values`, fields);
        });
    }
    const table = valueTable(domain, like);
    for (const {name, sql} of domain.checks) {
        const evaluate = compileExpression(bindCheck(sql, table, bindContext), {...scope, sources: [{table}]});
        checks.push((value, frame) => {
            if (evaluate({...frame, row0: pendingVersion(0, 0, [value]), row1: null}) !== false) return;
            throw new PgError('23514', `value for domain ${domain.name} violates check constraint "${name}"`, {
                ...fields,
                constraint: name,
            });
        });
    }
    return checks;
}

function valueTable(domain: TypeDescriptor, like: TableDescriptor): TableDescriptor {
    const column: ColumnDescriptor = {
        attnum: 1,
        name: 'value',
        type: domain.base ?? {oid: 0, typmod: -1},
        notNull: false,
        defaultSql: undefined,
        identity: undefined,
        sequence: undefined,
        missing: null,
    };
    return {...like, name: domain.name, columns: [column], checks: [], indexes: [], primaryKey: undefined};
}

/** The default of a column that has none of its own: that of its domain, or of the nearest domain beneath. */
export function domainDefaultSql(typeOid: number, domainOf: DomainLookup): string | undefined {
    for (let domain = domainOf(typeOid); domain?.base !== undefined; domain = domainOf(domain.base.oid)) {
        if (domain.defaultSql !== undefined) return domain.defaultSql;
    }
    return undefined;
}
