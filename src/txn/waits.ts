/**
 * Reasons for which synchronous statement code cannot go on, thrown to the statement's driver, which waits and runs the
 * statement again. Locks and cold rows have their own (`LockWait`, `ColdRow`).
 */

/** The table was changed by DDL since the statement was planned: plan it again. */
export class StalePlan extends Error {
    override readonly name = 'StalePlan';
    constructor() {
        super('the plan is older than its table');
    }
}

/** The newest state of something is ordered but not durable yet; readers must not see it. */
export class VisibilityWait extends Error {
    override readonly name = 'VisibilityWait';
    readonly seq: number;
    constructor(seq: number) {
        super(`waiting for commit ${seq}`);
        this.seq = seq;
    }
}
