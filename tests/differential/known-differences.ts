/**
 * Statements of the corpus that Tidewire is known to answer otherwise, each with the reason. The test demands that they
 * are still refused, with a hint, so an entry cannot outlive its cause.
 */

const MODIFYING_CTE = 'a WITH query that inserts, updates or deletes is refused in this release';
const MERGE = 'MERGE is refused in this release';

/** Each of them gets 0A000 and a hint. The value is the reason. */
export const REFUSED: ReadonlyMap<string, string> = new Map([
    [
        "with gone as (delete from people where dept = 'shop' returning *) select count(*), max(name) from gone",
        MODIFYING_CTE,
    ],
    [
        "with new as (insert into people (id, name) values (50, 'N') returning id), up as (update people set salary = 5 where id = 1 returning id) select * from new union all select * from up order by id",
        MODIFYING_CTE,
    ],
    [
        "merge into people p using (values (1, 'Ada L'), (77, 'Newt')) as s(id, name) on p.id = s.id when matched then update set name = s.name when not matched then insert (id, name) values (s.id, s.name)",
        MERGE,
    ],
    ['merge into people p using orders o on p.id = o.person and o.quantity = 100 when matched then delete', MERGE],
]);
