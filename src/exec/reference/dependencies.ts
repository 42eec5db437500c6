/**
 * What the twin must be given before a statement can run there: rows of tables (views are followed to theirs), rows of
 * the relations that show the server's state, and the state of sequences.
 *
 * What must stay true: names are resolved by the statement's own catalog and search path, those inside views by their
 * definition, which qualifies what needs it. A function that reads tables by a name in a string is refused: its tables
 * would be empty.
 */
import type {SequenceDescriptor} from '../../../catalog/catalog-change.ts';
import type {CatalogView} from '../../../catalog/catalog.ts';
import type {ColumnDescriptor, TableDescriptor} from '../../../catalog/descriptor.ts';
import {notSupported, PgError} from '../../../catalog/errors.ts';
import {parseQualifiedName} from '../../session/qualified-name.ts';
import {as, type FuncCall, type Node} from '../../sql/nodes.ts';
import {type FunctionMention, type Mentions, mentionsOf, type RelationMention} from './mentions.ts';

export interface Dependencies {
    readonly tables: readonly TableDescriptor[];
    /** Full names of the relations that show the server's state. */
    readonly systemRelations: readonly string[];
    readonly sequences: readonly SequenceDescriptor[];
    /** The statement asks for values that this session has drawn. */
    readonly currval: boolean;
    readonly lastval: boolean;
    readonly setval: boolean;
}

export interface DependencySource {
    readonly catalog: CatalogView;
    readonly searchPath: readonly string[];
    parse(sql: string): readonly {readonly tree: Node}[];
    systemRelations(relations: Iterable<RelationMention>): readonly string[];
    /** Calls with effects that the plan makes itself. */
    readonly carriedCalls?: ReadonlySet<FuncCall>;
}

/** Views within views. */
const VIEW_DEPTH_MAX = 64;
/** Sequences whose state is given to the twin for one statement. */
const SEQUENCES_MAX = 1000;

const SEQUENCE_FUNCTIONS = new Set(['nextval', 'currval', 'setval', 'pg_sequence_last_value', 'pg_get_sequence_data']);

/** They run or read what a string names. */
const TEXT_QUERY_FUNCTIONS = new Set([
    'ts_stat',
    'query_to_xml',
    'query_to_xmlschema',
    'query_to_xml_and_xmlschema',
    'table_to_xml',
    'table_to_xml_and_xmlschema',
    'schema_to_xml',
    'schema_to_xml_and_xmlschema',
    'database_to_xml',
    'database_to_xml_and_xmlschema',
    'cursor_to_xml',
]);

/** They act on the server or on sessions: on the twin, which all sessions share, they would act on nothing or on all. */
const EFFECT_FUNCTIONS =
    /^(set_config|pg_notify|pg_sleep(_for|_until)?|pg_(try_)?advisory_.*|pg_cancel_backend|pg_terminate_backend|pg_reload_conf|pg_rotate_logfile|pg_switch_wal|pg_create_restore_point|pg_promote|lo_.*|pg_stat_reset.*|pg_read_.*file|pg_ls_.*|pg_stat_file)$/;

export function dependenciesOf(mentions: Mentions, source: DependencySource): Dependencies {
    const collector = new Collector(source);
    collector.add(mentions, source.searchPath);
    return collector.result();
}

/** With what the defaults of these columns draw from. */
export function withDefaults(
    dependencies: Dependencies,
    columns: readonly ColumnDescriptor[],
    source: DependencySource,
): Dependencies {
    const collector = new Collector(source, dependencies);
    for (const column of columns) {
        if (column.sequence !== undefined) collector.addSequenceNamed(column.sequence, source.searchPath);
        if (column.defaultSql === undefined) continue;
        for (const {tree} of source.parse(`SELECT ${column.defaultSql}`)) {
            // Defaults are printed with every name qualified that needs it.
            collector.add(mentionsOf(tree), source.searchPath);
        }
    }
    return collector.result();
}

export function withTables(dependencies: Dependencies, tables: readonly TableDescriptor[]): Dependencies {
    const known = new Set(dependencies.tables.map((table) => table.tableId));
    const added = tables.filter((table) => !known.has(table.tableId));
    return added.length === 0 ? dependencies : {...dependencies, tables: [...dependencies.tables, ...added]};
}

class Collector {
    readonly #source: DependencySource;
    readonly #tables = new Map<number, TableDescriptor>();
    readonly #sequences = new Map<number, SequenceDescriptor>();
    readonly #systemRelations = new Set<string>();
    readonly #views = new Set<number>();
    #currval = false;
    #lastval = false;
    #setval = false;
    #depth = 0;

    constructor(source: DependencySource, base?: Dependencies) {
        this.#source = source;
        if (base === undefined) return;
        for (const table of base.tables) this.#tables.set(table.tableId, table);
        for (const sequence of base.sequences) this.#sequences.set(sequence.sequenceId, sequence);
        for (const name of base.systemRelations) this.#systemRelations.add(name);
        this.#currval = base.currval;
        this.#lastval = base.lastval;
        this.#setval = base.setval;
    }

    add(mentions: Mentions, searchPath: readonly string[]): void {
        for (const relation of mentions.relations) this.#addRelation(relation, searchPath);
        for (const mention of mentions.functions) this.#addFunction(mention, searchPath);
        for (const name of this.#source.systemRelations(mentions.relations)) this.#systemRelations.add(name);
    }

    result(): Dependencies {
        if (this.#sequences.size > SEQUENCES_MAX) {
            throw new PgError('54000', `the statement may touch more than ${SEQUENCES_MAX} sequences`, {
                hint: 'Name the sequence in the statement as a constant.',
            });
        }
        return {
            tables: [...this.#tables.values()],
            systemRelations: [...this.#systemRelations],
            sequences: [...this.#sequences.values()],
            currval: this.#currval,
            lastval: this.#lastval,
            setval: this.#setval,
        };
    }

    #addRelation({schema, name}: RelationMention, searchPath: readonly string[]): void {
        const {catalog} = this.#source;
        const table = catalog.table(schema, name, searchPath);
        if (table !== undefined) {
            this.#tables.set(table.tableId, table);
            return;
        }
        const view = catalog.view(schema, name, searchPath);
        if (view !== undefined) {
            if (this.#views.has(view.oid)) return;
            this.#views.add(view.oid);
            this.#addView(view.definitionSql);
            return;
        }
        const sequence = catalog.sequence(schema, name, searchPath);
        if (sequence !== undefined) this.#sequences.set(sequence.sequenceId, sequence);
        else if (name === 'pg_sequences' && (schema === undefined || schema === 'pg_catalog')) this.#addAllSequences();
    }

    #addView(definitionSql: string): void {
        if (this.#depth >= VIEW_DEPTH_MAX) {
            throw new PgError('54001', 'views are nested too deeply', {detail: `At most ${VIEW_DEPTH_MAX} levels.`});
        }
        this.#depth++;
        for (const {tree} of this.#source.parse(definitionSql)) this.add(mentionsOf(tree), []);
        this.#depth--;
    }

    #addFunction({schema, name, call}: FunctionMention, searchPath: readonly string[]): void {
        if (schema !== undefined && schema !== 'pg_catalog') return;
        if (TEXT_QUERY_FUNCTIONS.has(name)) {
            throw notSupported(`function ${name}`, 'It reads tables that are named in a string: use a query instead.');
        }
        if (EFFECT_FUNCTIONS.test(name) && this.#source.carriedCalls?.has(call) !== true) {
            throw notSupported(`function ${name} in this statement`, `Call it alone: SELECT ${name}(…).`);
        }
        if (name === 'lastval') this.#lastval = true;
        if (!SEQUENCE_FUNCTIONS.has(name)) return;
        if (name === 'currval') this.#currval = true;
        if (name === 'setval') this.#setval = true;
        const named = constantText(call.args?.[0]);
        if (named === undefined) this.#addAllSequences();
        else this.addSequenceNamed(named, searchPath);
    }

    addSequenceNamed(text: string, searchPath: readonly string[]): void {
        let parts: string[];
        try {
            parts = parseQualifiedName(text);
        } catch (error) {
            // The name is read again by PostgreSQL, which says what is wrong with it; it may also be an oid.
            if (!(error instanceof PgError)) throw error;
            this.#addAllSequences();
            return;
        }
        const sequence = this.#source.catalog.sequence(parts.at(-2), parts.at(-1) ?? '', searchPath);
        if (sequence !== undefined) this.#sequences.set(sequence.sequenceId, sequence);
    }

    #addAllSequences(): void {
        for (const sequence of this.#source.catalog.sequences()) this.#sequences.set(sequence.sequenceId, sequence);
    }
}

/** The string of `'name'`, `'name'::regclass` and their like. */
function constantText(node: Node | undefined): string | undefined {
    const cast = as(node, 'TypeCast');
    return cast === undefined ? as(node, 'A_Const')?.sval?.sval : constantText(cast.arg);
}
