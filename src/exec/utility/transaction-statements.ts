/**
 * BEGIN, COMMIT, ROLLBACK, SAVEPOINT and their kin, and the modes of transactions. Messages as in PostgreSQL's xact.c
 * and variable.c.
 */
import {type AstFields, asFields, isTrue, nodesOf, numberOf, textOf, unwrap} from '../../../catalog/ddl/ast.ts';
import {notSupported, PgError} from '../../../catalog/errors.ts';
import type {Plan} from '../plan.ts';
import type {StatementContext} from '../statement-context.ts';
import {commandPlan} from './plans.ts';
import {settingDefinition} from '../../session/setting-definitions.ts';

export interface TransactionModes {
    readonly isolation: string | undefined;
    readonly readOnly: boolean | undefined;
    readonly deferrable: boolean | undefined;
}

/** @throws PgError 0A000 for isolation levels that are not there yet. */
export function readModes(fields: AstFields, list: string): TransactionModes {
    let isolation: string | undefined;
    let readOnly: boolean | undefined;
    let deferrable: boolean | undefined;
    for (const {fields: element} of nodesOf(fields, list)) {
        const constant = asFields(asFields(element['arg'])['A_Const']);
        const on = numberOf(asFields(constant['ival']), 'ival') !== 0;
        switch (textOf(element, 'defname')) {
            case 'transaction_isolation': {
                const level = textOf(asFields(constant['sval']), 'sval') ?? '';
                isolation =
                    settingDefinition('transaction_isolation')?.parse?.(level, 'transaction_isolation') ?? level;
                break;
            }
            case 'transaction_read_only':
                readOnly = on;
                break;
            case 'transaction_deferrable':
                deferrable = on;
                break;
            default:
                throw notSupported('this transaction mode');
        }
    }
    return {isolation, readOnly, deferrable};
}

/** Within a block: the modes of the transaction in progress. DEFERRABLE means something to SERIALIZABLE alone. */
export function applyModes(context: StatementContext, modes: TransactionModes): void {
    const {session} = context;
    const {isolation, readOnly, deferrable} = modes;
    if (isolation !== undefined) {
        if (session.transaction.hasRun && isolation !== context.setting('transaction_isolation')) {
            throw new PgError('25001', 'SET TRANSACTION ISOLATION LEVEL must be called before any query');
        }
        session.settings.set('transaction_isolation', isolation, true);
    }
    if (readOnly !== undefined) session.transaction.setReadOnly(readOnly);
    if (deferrable !== undefined) {
        if (session.transaction.hasRun) {
            throw new PgError('25001', 'SET TRANSACTION [NOT] DEFERRABLE must be called before any query');
        }
        session.settings.set('transaction_deferrable', deferrable ? 'on' : 'off', true);
    }
}

export function planTransaction(fields: AstFields, context: StatementContext): Plan {
    const kind = textOf(fields, 'kind') ?? '';
    const name = textOf(fields, 'savepoint_name') ?? '';
    const chain = isTrue(fields, 'chain');
    switch (kind) {
        case 'TRANS_STMT_BEGIN':
        case 'TRANS_STMT_START':
            return planBegin(readModes(fields, 'options'), kind, context);
        case 'TRANS_STMT_COMMIT':
            return commandPlan(
                context,
                ({session}) => {
                    if (chain) requireBlock(session.transaction.inBlock, 'COMMIT AND CHAIN');
                    return session.transaction.commit(chain);
                },
                {endsTransaction: true},
            );
        case 'TRANS_STMT_ROLLBACK':
            return commandPlan(
                context,
                ({session}) => {
                    if (chain) requireBlock(session.transaction.inBlock, 'ROLLBACK AND CHAIN');
                    return session.transaction.rollback(chain);
                },
                {endsTransaction: true},
            );
        case 'TRANS_STMT_SAVEPOINT':
            return commandPlan(context, ({session}) => {
                session.transaction.savepoint(name);
                return 'SAVEPOINT';
            });
        case 'TRANS_STMT_RELEASE':
            return commandPlan(context, ({session}) => {
                session.transaction.release(name);
                return 'RELEASE';
            });
        case 'TRANS_STMT_ROLLBACK_TO':
            return commandPlan(
                context,
                ({session}) => {
                    session.transaction.rollbackToSavepoint(name);
                    return 'ROLLBACK';
                },
                {endsTransaction: true},
            );
        default:
            throw notSupported('a two-phase commit', 'Use COMMIT.');
    }
}

function planBegin(modes: TransactionModes, kind: string, context: StatementContext): Plan {
    const tag = kind === 'TRANS_STMT_BEGIN' ? 'BEGIN' : 'START TRANSACTION';
    return commandPlan(context, (executing) => {
        const {session} = executing;
        session.transaction.begin(undefined);
        applyModes(executing, modes);
        return tag;
    });
}

function requireBlock(inBlock: boolean, command: string): void {
    if (!inBlock) throw new PgError('25P01', `${command} can only be used in transaction blocks`);
}

/** SET TRANSACTION and SET SESSION CHARACTERISTICS AS TRANSACTION. */
export function planSetModes(fields: AstFields, context: StatementContext): Plan {
    const name = textOf(fields, 'name') ?? '';
    if (name === 'TRANSACTION SNAPSHOT') throw notSupported('SET TRANSACTION SNAPSHOT');
    const modes = readModes(fields, 'args');
    if (name === 'SESSION CHARACTERISTICS') {
        return commandPlan(context, ({session}) => {
            const {settings} = session;
            const {isolation, readOnly, deferrable} = modes;
            if (isolation !== undefined) settings.set('default_transaction_isolation', isolation, false);
            if (readOnly !== undefined) settings.set('default_transaction_read_only', readOnly ? 'on' : 'off', false);
            if (deferrable !== undefined) {
                settings.set('default_transaction_deferrable', deferrable ? 'on' : 'off', false);
            }
            return 'SET';
        });
    }
    return commandPlan(context, (executing) => {
        if (warnOutsideBlock(executing, 'SET TRANSACTION')) return 'SET';
        applyModes(executing, modes);
        return 'SET';
    });
}

/** What has no effect outside of a block says so. True: nothing is to be done. */
export function warnOutsideBlock(context: StatementContext, command: string): boolean {
    const {inBlock, manyStatements} = context.session.transaction;
    if (inBlock || manyStatements) return false;
    const message = `${command} can only be used in transaction blocks`;
    context.notice({severity: 'WARNING', code: '25P01', message});
    return true;
}

/** PreventInTransactionBlock. */
export function refuseInBlock(context: StatementContext, command: string): void {
    const {inBlock, manyStatements} = context.session.transaction;
    if (inBlock || manyStatements) throw new PgError('25001', `${command} cannot run inside a transaction block`);
}

/** SET CONSTRAINTS: no constraint here is deferrable, so ALL finds none to change. */
export function planSetConstraints(fields: AstFields, context: StatementContext): Plan {
    const [first] = nodesOf(fields, 'constraints');
    if (first !== undefined) {
        const name = textOf(unwrap({RangeVar: first.fields}).fields, 'relname') ?? '';
        throw new PgError('42704', `constraint "${name}" does not exist`);
    }
    return commandPlan(context, (executing) => {
        warnOutsideBlock(executing, 'SET CONSTRAINTS');
        return 'SET CONSTRAINTS';
    });
}
