/**
 * Interleavings of sessions whose outcome PostgreSQL defines: lost updates, waits and re-checks, snapshots, deadlocks,
 * savepoints. A step is `[session, statement]`; a step that waits for a lock is left waiting, and the next one follows.
 */

export interface Scenario {
    readonly name: string;
    readonly steps: readonly (readonly [session: string, sql: string])[];
    /** Which session loses a deadlock or a race is up to the server: outcomes are compared without their session. */
    readonly anyVictim?: true;
}

/** Run before each scenario. */
export const SCENARIO_SETUP = `drop table if exists account, audit;
    create table account (id integer primary key, owner text not null, balance integer not null);
    create table audit (id serial primary key, note text);
    insert into account values (1, 'ann', 100), (2, 'bob', 200), (3, 'cat', 300)`;

/** Run after each scenario, on a new session. */
export const SCENARIO_CHECK = 'select * from account order by id';

const BEGIN = 'begin';

export const SCENARIOS: readonly Scenario[] = [
    {
        name: 'an uncommitted change is not visible',
        steps: [
            ['a', BEGIN],
            ['a', 'update account set balance = 0 where id = 1'],
            ['b', 'select balance from account where id = 1'],
            ['a', 'commit'],
            ['b', 'select balance from account where id = 1'],
        ],
    },
    {
        name: 'the second update of a row waits and works on the new version',
        steps: [
            ['a', BEGIN],
            ['a', 'update account set balance = balance + 10 where id = 1'],
            ['b', 'update account set balance = balance + 5 where id = 1 returning balance'],
            ['a', 'commit'],
        ],
    },
    {
        name: 'a waiter goes on with the old version after a rollback',
        steps: [
            ['a', BEGIN],
            ['a', 'update account set balance = 0 where id = 1'],
            ['b', 'update account set balance = balance + 5 where id = 1 returning balance'],
            ['a', 'rollback'],
        ],
    },
    {
        name: 'a waiter checks its condition again and skips the row that left it',
        steps: [
            ['a', BEGIN],
            ['a', 'update account set balance = 0 where id = 1'],
            ['b', 'update account set owner = upper(owner) where balance >= 100 returning id'],
            ['a', 'commit'],
        ],
    },
    {
        name: 'a waiter skips the row that was deleted',
        steps: [
            ['a', BEGIN],
            ['a', 'delete from account where id = 2'],
            ['b', 'update account set balance = 1 where id in (2, 3) returning id'],
            ['a', 'commit'],
        ],
    },
    {
        name: 'a second insert of a key waits and fails when the first commits',
        steps: [
            ['a', BEGIN],
            ['a', "insert into account values (9, 'first', 1)"],
            ['b', "insert into account values (9, 'second', 2)"],
            ['a', 'commit'],
        ],
    },
    {
        name: 'a second insert of a key waits and succeeds when the first rolls back',
        steps: [
            ['a', BEGIN],
            ['a', "insert into account values (9, 'first', 1)"],
            ['b', "insert into account values (9, 'second', 2)"],
            ['a', 'rollback'],
        ],
    },
    {
        name: 'ON CONFLICT DO UPDATE waits and updates the committed row',
        steps: [
            ['a', BEGIN],
            ['a', "insert into account values (9, 'first', 1)"],
            [
                'b',
                "insert into account values (9, 'x', 5) on conflict (id) do update set balance = account.balance + excluded.balance returning *",
            ],
            ['a', 'commit'],
        ],
    },
    {
        name: 'read committed takes a new snapshot for each statement',
        steps: [
            ['a', BEGIN],
            ['a', 'select count(*) from account'],
            ['b', "insert into account values (4, 'dan', 400)"],
            ['a', 'select count(*) from account'],
            ['a', 'commit'],
        ],
    },
    {
        name: 'a deadlock is found and one side goes on',
        anyVictim: true,
        steps: [
            ['a', BEGIN],
            ['b', BEGIN],
            ['a', 'update account set balance = 7 where id = 1'],
            ['b', 'update account set balance = 7 where id = 2'],
            ['a', 'update account set balance = 7 where id = 2'],
            ['b', 'update account set balance = 7 where id = 1'],
            ['a', 'commit'],
            ['b', 'commit'],
        ],
    },
    {
        name: 'FOR UPDATE holds the row; NOWAIT fails; SKIP LOCKED passes it over',
        steps: [
            ['a', BEGIN],
            ['a', 'select * from account where id = 1 for update'],
            ['b', 'select id from account where id = 1 for update nowait'],
            ['b', 'select id from account order by id for update skip locked'],
            ['c', 'update account set balance = 0 where id = 1'],
            ['b', 'select balance from account where id = 1'],
            ['a', 'commit'],
        ],
    },
    {
        name: 'shared row locks go together and hold back a writer',
        steps: [
            ['a', BEGIN],
            ['b', BEGIN],
            ['a', 'select id from account where id = 1 for share'],
            ['b', 'select id from account where id = 1 for share'],
            ['c', 'update account set balance = 5 where id = 1'],
            ['a', 'commit'],
            ['b', 'commit'],
        ],
    },
    {
        name: 'a shared lock becomes an exclusive one when nobody else shares it',
        steps: [
            ['a', BEGIN],
            ['b', BEGIN],
            ['a', 'select id from account where id = 1 for share'],
            ['b', 'select id from account where id = 1 for share'],
            ['a', 'update account set balance = 5 where id = 1'],
            ['b', 'select balance from account where id = 1'],
            ['b', 'commit'],
            ['a', 'commit'],
        ],
    },
    {
        name: 'two who share a lock and both want to write are a deadlock',
        anyVictim: true,
        steps: [
            ['a', BEGIN],
            ['b', BEGIN],
            ['a', 'select id from account where id = 1 for key share'],
            ['b', 'select id from account where id = 1 for share'],
            ['a', 'update account set balance = 7 where id = 1'],
            ['b', 'delete from account where id = 1'],
            ['b', 'rollback'],
            ['a', 'rollback'],
        ],
    },
    {
        name: 'NOWAIT and SKIP LOCKED look at whether a lock can be shared',
        steps: [
            ['a', BEGIN],
            ['a', 'select id from account where id = 1 for share'],
            ['b', 'select id from account where id = 1 for share nowait'],
            ['b', 'select id from account where id = 1 for update nowait'],
            ['b', 'select id from account where id = 1 for update skip locked'],
            ['b', 'select id from account order by id for share skip locked'],
            ['b', 'select id from account order by id for update skip locked'],
            ['b', 'select id from account where balance > 50 order by id for share'],
            ['a', 'commit'],
            ['b', 'select id from account where id = 1 for update nowait'],
        ],
    },
    {
        name: 'a shared lock taken after a savepoint is given back with it',
        steps: [
            ['a', BEGIN],
            ['a', 'savepoint s'],
            ['a', 'select id from account where id = 1 for share'],
            ['b', 'update account set balance = 2 where id = 1'],
            ['a', 'rollback to savepoint s'],
            ['a', 'commit'],
        ],
    },
    {
        name: 'lock_timeout ends a wait',
        steps: [
            ['a', BEGIN],
            ['a', 'update account set balance = 0 where id = 1'],
            ['b', "set lock_timeout = '50ms'"],
            ['b', 'update account set balance = 1 where id = 1'],
            ['a', 'commit'],
        ],
    },
    {
        name: 'an error fails the transaction until it ends',
        steps: [
            ['a', BEGIN],
            ['a', 'update account set balance = 0 where id = 1'],
            ['a', 'select 1 / 0'],
            ['a', 'select 1'],
            ['a', 'commit'],
            ['a', 'select balance from account where id = 1'],
        ],
    },
    {
        name: 'savepoints take back what came after them',
        steps: [
            ['a', BEGIN],
            ['a', 'update account set balance = 1 where id = 1'],
            ['a', 'savepoint s'],
            ['a', 'update account set balance = 2 where id = 1'],
            ['a', 'select missing from account'],
            ['a', 'rollback to savepoint s'],
            ['a', 'select balance from account where id = 1'],
            ['a', "insert into account values (5, 'eve', 5)"],
            ['a', 'release savepoint s'],
            ['a', 'rollback to savepoint s'],
            ['a', 'rollback'],
        ],
    },
    {
        name: 'a row lock taken after a savepoint is given back with it',
        steps: [
            ['a', BEGIN],
            ['a', 'savepoint s'],
            ['a', 'update account set balance = 1 where id = 1'],
            ['b', 'update account set balance = 2 where id = 1'],
            ['a', 'rollback to savepoint s'],
            ['a', 'commit'],
        ],
    },
    {
        name: 'a read-only transaction refuses to write',
        steps: [
            ['a', 'begin read only'],
            ['a', 'select count(*) from account'],
            ['a', 'update account set balance = 0'],
            ['a', 'rollback'],
        ],
    },
    {
        name: 'DDL is part of the transaction',
        steps: [
            ['a', BEGIN],
            ['a', 'create table passing (id integer)'],
            ['a', 'insert into passing values (1)'],
            ['b', 'select * from passing'],
            ['a', 'rollback'],
            ['a', 'select * from passing'],
        ],
    },
    {
        name: 'TRUNCATE rolls back',
        steps: [
            ['a', BEGIN],
            ['a', 'truncate account'],
            ['a', 'select count(*) from account'],
            ['a', 'rollback'],
            ['a', 'select count(*) from account'],
        ],
    },
    {
        name: 'transaction commands out of place warn and succeed',
        steps: [
            ['a', 'commit'],
            ['a', 'rollback'],
            ['a', BEGIN],
            ['a', BEGIN],
            ['a', 'commit and chain'],
            ['a', 'rollback and chain'],
            ['a', 'set transaction isolation level read committed'],
            ['a', 'show transaction_isolation'],
            ['a', 'select 1'],
            ['a', 'set transaction isolation level read committed'],
            ['a', 'set transaction read only'],
            ['a', 'set transaction read write'],
            ['a', 'commit'],
            ['a', 'savepoint s'],
        ],
    },
    {
        name: 'a cursor keeps its rows while others change them',
        steps: [
            ['a', BEGIN],
            ['a', 'declare c cursor for select id, balance from account order by id'],
            ['a', 'fetch 1 from c'],
            ['b', 'update account set balance = 0'],
            ['a', 'fetch 5 from c'],
            ['a', 'close c'],
            ['a', 'fetch 1 from c'],
            ['a', 'rollback'],
        ],
    },
];
