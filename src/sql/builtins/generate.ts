/**
 * Renders the tables of built-ins from a real PostgreSQL's pg_catalog. Run as a script it rewrites `operators.ts`,
 * `functions.ts`, `casts.ts` and `types.ts` beside it; the test of this folder renders them again and compares.
 *
 * What must stay true: of every function name that is listed, *all* overloads are listed, and of operators and casts
 * everything: type resolution picks among candidates, so a missing candidate could silently change the choice.
 */
import {writeFileSync} from 'node:fs';

export interface CatalogQuery {
    query(sql: string): Promise<{readonly rows: readonly unknown[]}>;
}

/** Function, aggregate and window function names that the binder resolves. Anything else is `Unsupported`. */
const FUNCTION_NAMES = `
any_value array_agg avg bool_and bool_or bit_and bit_or bit_xor corr count covar_pop covar_samp cume_dist dense_rank
every json_agg json_object_agg jsonb_agg jsonb_object_agg max min mode percent_rank percentile_cont percentile_disc rank
regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop
stddev_samp string_agg sum var_pop var_samp variance
first_value lag last_value lead nth_value ntile row_number
abs acos acosd acosh age array_append array_cat array_dims array_length array_lower array_ndims array_position
array_positions array_prepend array_remove array_replace array_to_json array_to_string array_upper ascii asin asind
asinh atan atan2 atan2d atand atanh bit_length bool btrim bytea cardinality casefold cbrt ceil ceiling char_length
character_length chr clock_timestamp concat concat_ws convert_from convert_to cos cosd cosh cot cotd crc32 crc32c
current_database current_schema current_schemas current_setting currval date date_add date_bin date_part date_subtract
date_trunc decode degrees div encode enum_first enum_last enum_range erf erfc exp extract factorial float4 float8 floor
format gcd gen_random_uuid generate_series generate_subscripts get_bit get_byte initcap int2 int4 int8 interval isfinite
json_array_elements json_array_elements_text json_array_length json_build_array json_build_object json_extract_path
json_extract_path_text json_object json_object_keys json_strip_nulls json_typeof jsonb_array_elements
jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object jsonb_extract_path
jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys jsonb_path_exists jsonb_path_match jsonb_path_query
jsonb_path_query_array jsonb_path_query_first jsonb_pretty jsonb_set jsonb_strip_nulls jsonb_typeof justify_days
justify_hours justify_interval lastval lcm left length like_escape ln log log10 lower lpad ltrim make_date make_interval
make_time make_timestamp make_timestamptz md5 min_scale mod nextval normalize now num_nonnulls num_nulls numeric
octet_length overlaps overlay parse_ident pg_typeof pi position pow power quote_ident quote_literal quote_nullable
radians random regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array
regexp_split_to_table regexp_substr repeat replace reverse right round rpad rtrim scale set_bit set_byte setval sha224
sha256 sha384 sha512 sign similar_to_escape sin sind sinh split_part sqrt starts_with statement_timestamp
string_to_array string_to_table strpos substr substring tan tand tanh text timezone time timestamp timestamptz timetz
to_ascii to_bin to_char to_date to_hex to_json to_jsonb to_number to_oct to_timestamp transaction_timestamp translate
trim_array trim_scale trunc unistr unnest upper uuid_extract_timestamp uuid_extract_version uuidv4 uuidv7 varchar
bpchar version width_bucket`
    .trim()
    .split(/\s+/);

const typeName = (oid: string): string => `(select typname from pg_type where oid = ${oid})`;
const typeNames = (oids: string): string =>
    `(select coalesce(string_agg(typname, ',' order by n), '') from unnest(${oids}) with ordinality as a(o, n)
      join pg_type on pg_type.oid = o)`;

const OPERATORS_SQL = `
    select oprname || ' ' || case when oprleft = 0 then '-' else ${typeName('oprleft')} end || ' '
        || ${typeName('oprright')} || ' ' || ${typeName('oprresult')} as line
    from pg_operator where oprnamespace = 'pg_catalog'::regnamespace and oprcode <> 0 order by oprname collate "C", oid`;

const FUNCTIONS_SQL = `
    select proname || ' ' || case when pronargs = 0 then '-' else ${typeNames('proargtypes::oid[]')} end || ' '
        || ${typeName('prorettype')} || ' ' || case when prokind = 'a' then
            (select case aggkind when 'n' then 'a' else aggkind::text || aggnumdirectargs end
             from pg_aggregate where aggfnoid = p.oid)
           else prokind::text end
        || provolatile::text || case when proretset then 's' else '' end
        || case when provariadic <> 0 then 'v' else '' end
        || case when pronargdefaults > 0 then 'd' else '' end
        || case when proargmodes is not null and 'o' = any (proargmodes) then 'o' else '' end as line
    from pg_proc p where pronamespace = 'pg_catalog'::regnamespace and prokind <> 'p'
        and not ('internal'::regtype::oid = any (proargtypes))
        and proname in (${FUNCTION_NAMES.map((name) => `'${name}'`).join(',')})
    order by proname collate "C", oid`;

const CASTS_SQL = `
    select ${typeName('castsource')} || ' ' || ${typeName('casttarget')} || ' ' || castcontext::text || castmethod::text as line
    from pg_cast order by castsource, casttarget`;

const TYPES_SQL = `
    select oid || ' ' || typname || ' ' || typtype::text || ' ' || typcategory::text || ' ' || case when typispreferred then 1 else 0 end
        || ' ' || case when typcategory = 'A' and typsubscript = 'array_subscript_handler'::regproc then typelem else 0 end
        || ' ' || typarray as line
    from pg_type where typnamespace = 'pg_catalog'::regnamespace and typtype in ('b', 'p', 'r', 'm') and typrelid = 0
        and (typelem = 0 or (select typrelid from pg_type e where e.oid = pg_type.typelem) = 0)
    order by oid`;

const FILES = [
    {
        file: 'operators.ts',
        name: 'OPERATORS',
        sql: OPERATORS_SQL,
        layout: 'name left right result; left - for a prefix operator',
    },
    {
        file: 'functions.ts',
        name: 'FUNCTIONS',
        sql: FUNCTIONS_SQL,
        layout:
            'name arguments result flags. Flags: f function, a aggregate, oN / hN ordered-set / hypothetical-set aggregate\n' +
            ' * with N direct arguments, w window function; then volatility i s v; then s set-returning, v variadic,\n' +
            ' * d has defaults, o has OUT parameters',
    },
    {
        file: 'casts.ts',
        name: 'CASTS',
        sql: CASTS_SQL,
        layout: 'source target context-method: i implicit, a assignment, e explicit; f function, i I/O, b binary',
    },
    {
        file: 'types.ts',
        name: 'TYPES',
        sql: TYPES_SQL,
        layout: 'oid name kind category preferred element array; element is 0 unless it is a true array',
    },
] as const;

/** File name to file text. */
export async function renderBuiltins(catalog: CatalogQuery): Promise<Map<string, string>> {
    const files = new Map<string, string>();
    for (const {file, name, sql, layout} of FILES) {
        const rows = (await catalog.query(sql)).rows as readonly {readonly line: string}[];
        const header = `/**\n * Made by generate.ts from PostgreSQL's pg_catalog; never edited by hand.\n * A line: ${layout}.\n */\n`;
        const lines = rows.map((row) => row.line.replaceAll('\\', '\\\\').replaceAll('`', '\\`'));
        files.set(file, `${header}export const ${name} = \`\n${lines.join('\n')}\n\`;\n`);
    }
    return files;
}

if (import.meta.main) {
    const {PGlite} = await import('@electric-sql/pglite');
    const postgres = await PGlite.create();
    for (const [file, text] of await renderBuiltins(postgres)) writeFileSync(new URL(file, import.meta.url), text);
    await postgres.close();
}
