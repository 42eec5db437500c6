/**
 * CURRENT_DATE, CURRENT_USER and their like: fixed for the transaction or session.
 */
import {castFunction} from '../../../catalog/types/cast.ts';
import {OID} from '../../../catalog/types/oids.ts';
import type {SqlValueExpr} from '../bound.ts';
import {Unsupported} from '../bound.ts';
import type {CompileScope, Evaluate} from './scope.ts';
import {typesOf} from './scope.ts';

export function compileSqlValue(name: SqlValueExpr['name'], scope: CompileScope): Evaluate {
    switch (name) {
        case 'current_timestamp':
            return ({context}) => context.transactionMicros;
        case 'current_date':
            return nowAs(OID.date, scope);
        case 'localtimestamp':
            return nowAs(OID.timestamp, scope);
        case 'current_time':
            return nowAs(OID.timetz, scope);
        case 'localtime':
            return nowAs(OID.time, scope);
        case 'current_user':
            return ({context}) => context.user;
        case 'session_user':
            return ({context}) => context.sessionUser;
        case 'current_schema':
            return ({context}) => context.schema;
        case 'current_catalog':
            return ({context}) => context.database;
        default:
            return name satisfies never;
    }
}

function nowAs(oid: number, scope: CompileScope): Evaluate {
    const cast = castFunction(OID.timestamptz, oid, typesOf(scope));
    if (cast === undefined) throw new Unsupported('current time');
    return ({context}) => cast(context.transactionMicros, context.settings);
}
