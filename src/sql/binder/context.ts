/**
 * What the binder is given, and what it gathers while it works on one statement.
 *
 * What must stay true: one `StatementState` serves one `bindStatement` call and everything beneath it, views included;
 * parameter types only ever go from unknown to known, as in PostgreSQL's parse_param.c.
 */
import type {TableDescriptor, TypeRef} from '../../../catalog/descriptor.ts';
import {OID} from '../../../catalog/types/oids.ts';
import type {TypeRegistry} from '../../../catalog/types/registry.ts';
import type {OutputSettings} from '../../../catalog/types/settings.ts';
import type {BoundStatement} from '../bound.ts';
import {Unsupported} from '../bound.ts';

export interface ViewDefinition {
    readonly oid: number;
    readonly definitionSql: string;
    readonly columns: readonly {readonly name: string; readonly type: TypeRef}[];
}

export interface BindCatalog {
    table(schema: string | undefined, name: string): TableDescriptor | undefined;
    view(schema: string | undefined, name: string): ViewDefinition | undefined;
}

export interface BindContext {
    readonly catalog: BindCatalog;
    readonly types: Pick<TypeRegistry, 'get' | 'byName'>;
    /** As the client gave them in Parse; 0 = to be inferred. */
    readonly parameterTypes: readonly number[];
    /** Date and time literals are read with these. */
    readonly settings: OutputSettings;
    /** True when a function of this name exists outside of pg_catalog: then the name is left to PostgreSQL. */
    readonly hasUserFunction?: (name: string) => boolean;
}

/** Views within views. */
const VIEW_DEPTH_MAX = 16;
/** Parameters are numbered by 16 bits in the protocol. */
const PARAMETERS_MAX = 65_535;

export class StatementState {
    readonly context: BindContext;
    readonly #parameterTypes: number[];
    readonly #tables = new Set<TableDescriptor>();
    #viewDepth = 0;
    /** A literal was read whose value depends on TimeZone, DateStyle or IntervalStyle. */
    dependsOnSettings = false;
    rowLock: BoundStatement['rowLock'] = null;
    /** Output name of each scalar subquery, by its parse node, for column naming. */
    readonly subqueryNames = new WeakMap<object, string>();

    constructor(context: BindContext) {
        this.context = context;
        this.#parameterTypes = context.parameterTypes.map((oid) => (oid === OID.unknown ? 0 : oid));
    }

    addTable(table: TableDescriptor): void {
        this.#tables.add(table);
    }

    get tables(): readonly TableDescriptor[] {
        return [...this.#tables];
    }

    /** Type of $n (0-based index); unknown (705) when not determined yet. */
    parameterType(index: number): number {
        if (index < 0 || index >= PARAMETERS_MAX) throw new Unsupported('parameter number');
        while (this.#parameterTypes.length <= index) this.#parameterTypes.push(0);
        const oid = this.#parameterTypes[index] ?? 0;
        return oid === 0 ? OID.unknown : oid;
    }

    /** An undetermined parameter meets a context that wants `oid`. */
    determineParameter(index: number, oid: number): void {
        const known = this.parameterType(index);
        if (known !== OID.unknown && known !== oid) throw new Unsupported(`inconsistent types for $${index + 1}`);
        this.#parameterTypes[index] = oid;
    }

    /** Throws when some $n was never given a type, or never used: PostgreSQL reports that. */
    finishedParameterTypes(): readonly number[] {
        this.#parameterTypes.forEach((oid, index) => {
            if (oid === 0) throw new Unsupported(`no type for $${index + 1}`);
        });
        return this.#parameterTypes;
    }

    withView<T>(bind: () => T): T {
        if (this.#viewDepth >= VIEW_DEPTH_MAX) throw new Unsupported('views nested too deeply');
        this.#viewDepth++;
        try {
            return bind();
        } finally {
            this.#viewDepth--;
        }
    }
}
