/**
 * The table of built-in types: identity as in pg_type, and codec. Arrays follow from their element types.
 */
import {arrayType} from './array.ts';
import {booleanCodec} from './boolean.ts';
import {byteaCodec} from './bytea.ts';
import {dateCodec} from './date.ts';
import {float4Codec, float8Codec} from './floats.ts';
import {int2Codec, int4Codec, int8Codec} from './integers.ts';
import {intervalCodec} from './interval-codec.ts';
import {jsonCodec} from './json.ts';
import {jsonbCodec} from './jsonb.ts';
import {cidrCodec, inetCodec} from './network.ts';
import {numericCodec} from './numeric-codec.ts';
import {cidCodec, objectAliasCodec, oidCodec, xid8Codec, xidCodec} from './object-ids.ts';
import {makeType} from './pg-type.ts';
import type {Codec, PgType} from './pg-type.ts';
import {bpcharCodec, charCodec, nameCodec, textCodec} from './text-types.ts';
import {timeCodec, timetzCodec} from './time-of-day.ts';
import {timestampCodec, timestamptzCodec} from './timestamp.ts';
import {uuidCodec} from './uuid.ts';

function base(
    oid: number,
    name: string,
    sqlName: string,
    length: number,
    category: string,
    arrayOid: number,
    methods: Codec,
): PgType {
    return makeType(
        {
            oid,
            name,
            sqlName,
            length,
            category,
            preferred: PREFERRED.has(name),
            arrayOid,
            elementOid: 0,
            element: undefined,
            kind: 'base',
            baseOid: oid,
            base: undefined,
            notNull: false,
            labels: [],
        },
        methods,
    );
}

const PREFERRED = new Set(['bool', 'text', 'oid', 'float8', 'inet', 'timestamptz', 'interval']);

const SCALAR_TYPES: readonly PgType[] = [
    base(16, 'bool', 'boolean', 1, 'B', 1000, booleanCodec),
    base(17, 'bytea', 'bytea', -1, 'U', 1001, byteaCodec),
    base(18, 'char', '"char"', 1, 'Z', 1002, charCodec),
    base(19, 'name', 'name', 64, 'S', 1003, nameCodec),
    base(20, 'int8', 'bigint', 8, 'N', 1016, int8Codec),
    base(21, 'int2', 'smallint', 2, 'N', 1005, int2Codec),
    base(23, 'int4', 'integer', 4, 'N', 1007, int4Codec),
    base(24, 'regproc', 'regproc', 4, 'N', 1008, objectAliasCodec('regproc')),
    base(25, 'text', 'text', -1, 'S', 1009, textCodec),
    base(26, 'oid', 'oid', 4, 'N', 1028, oidCodec),
    base(28, 'xid', 'xid', 4, 'U', 1011, xidCodec),
    base(29, 'cid', 'cid', 4, 'U', 1012, cidCodec),
    base(114, 'json', 'json', -1, 'U', 199, jsonCodec),
    base(650, 'cidr', 'cidr', -1, 'I', 651, cidrCodec),
    base(700, 'float4', 'real', 4, 'N', 1021, float4Codec),
    base(701, 'float8', 'double precision', 8, 'N', 1022, float8Codec),
    base(705, 'unknown', 'unknown', -2, 'X', 0, textCodec),
    base(869, 'inet', 'inet', -1, 'I', 1041, inetCodec),
    base(1042, 'bpchar', 'character', -1, 'S', 1014, bpcharCodec),
    base(1043, 'varchar', 'character varying', -1, 'S', 1015, textCodec),
    base(1082, 'date', 'date', 4, 'D', 1182, dateCodec),
    base(1083, 'time', 'time without time zone', 8, 'D', 1183, timeCodec),
    base(1114, 'timestamp', 'timestamp without time zone', 8, 'D', 1115, timestampCodec),
    base(1184, 'timestamptz', 'timestamp with time zone', 8, 'D', 1185, timestamptzCodec),
    base(1186, 'interval', 'interval', 16, 'T', 1187, intervalCodec),
    base(1266, 'timetz', 'time with time zone', 12, 'D', 1270, timetzCodec),
    base(1700, 'numeric', 'numeric', -1, 'N', 1231, numericCodec),
    base(2202, 'regprocedure', 'regprocedure', 4, 'N', 2207, objectAliasCodec('regprocedure')),
    base(2203, 'regoper', 'regoper', 4, 'N', 2208, objectAliasCodec('regoper')),
    base(2204, 'regoperator', 'regoperator', 4, 'N', 2209, objectAliasCodec('regoperator')),
    base(2205, 'regclass', 'regclass', 4, 'N', 2210, objectAliasCodec('regclass')),
    base(2206, 'regtype', 'regtype', 4, 'N', 2211, objectAliasCodec('regtype')),
    base(2278, 'void', 'void', 4, 'P', 0, textCodec),
    base(2950, 'uuid', 'uuid', 16, 'U', 2951, uuidCodec),
    base(3734, 'regconfig', 'regconfig', 4, 'N', 3735, objectAliasCodec('regconfig')),
    base(3769, 'regdictionary', 'regdictionary', 4, 'N', 3770, objectAliasCodec('regdictionary')),
    base(3802, 'jsonb', 'jsonb', -1, 'U', 3807, jsonbCodec),
    base(4089, 'regnamespace', 'regnamespace', 4, 'N', 4090, objectAliasCodec('regnamespace')),
    base(4096, 'regrole', 'regrole', 4, 'N', 4097, objectAliasCodec('regrole')),
    base(4191, 'regcollation', 'regcollation', 4, 'N', 4192, objectAliasCodec('regcollation')),
    base(5069, 'xid8', 'xid8', 8, 'U', 271, xid8Codec),
];

export const BUILTIN_TYPES: readonly PgType[] = [
    ...SCALAR_TYPES,
    ...SCALAR_TYPES.filter((type) => type.arrayOid !== 0).map((type) => arrayType(type, `_${type.name}`)),
];
