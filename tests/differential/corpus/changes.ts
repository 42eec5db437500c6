/** INSERT, UPDATE, DELETE, MERGE and what they return. Each runs in a transaction that is rolled back after its check. */
import {writes} from './statement.ts';

const people = writes('select * from people order by id', [
    "insert into people (id, name) values (8, 'Hal')",
    "insert into people (id, name) values (8, 'Hal') returning *",
    "insert into people (id, name, salary) values (8, 'Hal', 1.005), (9, 'Ida', 99999999.994) returning id, salary, active",
    "insert into people select id + 100, name || '2', null, id, dept, salary, hired, not active from people where dept = 'lab' returning id, name",
    "insert into people (id, name) values (8, 'Hal') on conflict do nothing",
    "insert into people (id, name) values (1, 'Other') on conflict do nothing",
    "insert into people (id, name) values (1, 'Other') on conflict (id) do nothing returning id",
    "insert into people (id, name) values (1, 'Other'), (20, 'New') on conflict (id) do update set name = excluded.name || '!' returning id, name",
    "insert into people as p (id, name, salary) values (1, 'Ada', 1) on conflict (id) do update set salary = p.salary + excluded.salary where p.active returning p.salary",
    "insert into people (id, name, email) values (30, 'Zed', 'bob@example.org') on conflict (email) do update set name = 'merged', hired = default returning *",
    "insert into people (id, name) values (3, 'X') on conflict on constraint people_pkey do update set active = true, name = people.name returning *",
    "insert into people (id, name) values (6, 'X') on conflict (id) do update set name = 'never' where people.active",
    "insert into people (id, name) values (1, 'Z'), (40, 'New'), (2, 'Y') on conflict (id) do update set salary = (select max(salary) from people), name = quote_ident(excluded.name) || people.name returning id, name, salary, old.name, new.name",
    "insert into people (id, name, email) values (41, 'Q', 'eve@example.org') on conflict (email) do update set hired = make_date(2000, people.id, 1) where people.id > 3 returning *",
    "insert into people (id, name) select id + 3, name from people where id < 6 on conflict (id) do update set name = format('%s was %s', excluded.name, people.name) where people.active",
    "insert into people (id, name) values (1, 'a'), (1, 'b') on conflict (id) do update set name = format('%s', excluded.name)",
    "insert into people (id, name, salary) values (1, 'a', 1) on conflict (id) do update set salary = -length(format('%s', people.name))",
    "insert into people (id, name, email) values (60, 'a', 'eve@example.org'), (1, 'b', 'x@y') on conflict (id) do update set name = format('%s', excluded.name)",
    "insert into people (id, name) values (2, 'a') on conflict (id) do update set email = format('%s', 'ada@example.org')",
    'update people set salary = salary * 1.1',
    'update people set salary = salary + 1 where id = 2 returning id, salary',
    "update people set name = upper(name), active = not active where dept = 'lab' returning *",
    'update people set boss = null where boss = 3',
    'update people set (name, salary) = (lower(name), 0) where id in (1, 7)',
    'update people set (dept, salary) = (select dept, salary from people where id = 1) where id = 6 returning dept, salary',
    'update people set hired = default, active = default where id = 6 returning *',
    'update people set id = id + 100 where id = 5 returning id',
    'update people set salary = 1 where false',
    'update people p set salary = t.total from (select person, sum(quantity) as total from orders group by person) t where t.person = p.id returning p.id, p.salary',
    'update people set salary = null where salary = (select max(salary) from people) returning id',
    'update people set name = name returning name, length(name) as l',
    "update people set email = 'x' || id || '@example.org' where email is null",
    'delete from people where id = 1',
    'delete from people where salary is null returning id, name',
    'delete from people',
    'delete from people where id > 100 returning *',
    'delete from people using orders where orders.person = people.id and quantity >= 10 returning people.id',
    'delete from people where id in (select person from orders)',
    "with gone as (delete from people where dept = 'shop' returning *) select count(*), max(name) from gone",
    "with new as (insert into people (id, name) values (50, 'N') returning id), up as (update people set salary = 5 where id = 1 returning id) select * from new union all select * from up order by id",
    "merge into people p using (values (1, 'Ada L'), (77, 'Newt')) as s(id, name) on p.id = s.id when matched then update set name = s.name when not matched then insert (id, name) values (s.id, s.name)",
    'merge into people p using orders o on p.id = o.person and o.quantity = 100 when matched then delete',
    'truncate people',
]);

const orders = writes('select id, person, item, quantity, price from orders where id <= 9 order by id', [
    "insert into orders (id, person, item, placed) values (5000, 5, 'cap', '2024-05-05') returning *",
    "insert into orders (id, person, item, quantity, price, placed) values (5001, 5, 'cap', default, null, 'epoch') returning quantity, placed",
    "insert into orders (id, person, item, placed) values (5002, 1, 'pen', now()) on conflict (person, item) do update set quantity = orders.quantity + excluded.quantity returning id, quantity",
    "update orders set price = price * quantity where item = 'pen' returning id, price",
    "update orders set placed = placed + interval '1 day', quantity = -quantity where price > 5 returning id, placed",
    'update orders set price = round(price, 0) where id = any(array[1, 2, 3])',
    "delete from orders where placed < '2024-02-01' returning id",
    "delete from orders where (person, item) in ((1, 'pen'), (4, 'ink'))",
    'delete from orders where price is null or quantity > 50 returning item',
]);

const rowsWithoutKey = writes('select a, b from pairs', [
    "insert into pairs values (9, 'n'), (9, 'n') returning *",
    'insert into pairs default values returning *',
    "insert into pairs (b) values ('only b')",
    "update pairs set b = 'was null' where b is null",
    'update pairs set a = a + 1 where a = 1 returning *',
    'delete from pairs where a is null returning a, b',
    "delete from pairs where b = 'x'",
    'insert into pairs select * from pairs where a is not null returning a',
]);

const everyType = writes('select * from edge order by id', [
    `insert into edge (id, n, n2, vc, c, by, ts, tz, iv, jb, ia) values (100, 1.50, 1.005, '0123456789', 'c', 'raw', '2024-01-01 10:00',
        '2024-01-01 10:00', '25:01:01', '{"b": 1, "a": [1.0]}', '[0:1]={7,8}') returning *`,
    "insert into edge (id, f4, f8, d, ti, u, m) values (101, 1e-45, 5e-324, 'Jan 5, 2024', '24:00', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'happy') returning f4, f8, d, ti, u, m",
    "update edge set t = t || t, jb = jsonb_set(coalesce(jb, '{}'), '{k}', '1', true), ia = array_append(ia, 0) where id in (1, 3, 5, 8) returning id, t, jb, ia",
    "update edge set i8 = i4::bigint * 2, n = f4::numeric, ts = tz at time zone 'UTC' where id in (1, 6) returning i8, n, ts",
    "update edge set b = not b, m = case m when 'sad' then 'happy'::mood else m end",
    "update edge set vc = left(t, 10), c = 'z', by = by || '\\x00' where id < 4",
    "delete from edge where f8 = 'Infinity' or i4 is null returning id",
    "insert into edge (id, m, t) select id, 'ok', upper(t) from edge where id < 4 on conflict (id) do update set m = greatest(excluded.m, edge.m) where edge.m <> 'happy' returning id, m",
    "update edge set m = 'happy' where id = 1 and m < 'ok' returning m",
    "insert into edge (id, ti, c) values (300, '24:00', 'ab') on conflict (id) do nothing returning ti, c || '|'",
]);

const documents = writes('select * from docs order by id', [
    "update docs set body = body || '{\"seen\": true}' where body ? 'name' returning id, body",
    "update docs set tags = tags || 'new'::text where id = 3 returning tags",
    'insert into docs values (9, \'{"a":  1}\') returning *',
    'delete from docs where body @> \'{"on": false}\' returning id',
    "insert into docs values (1, '{\"x\": 1}', '{new}'), (9, '{\"y\": 2}') on conflict (id) do update set body = jsonb_set(docs.body, '{merged}', excluded.body), tags = array(select distinct unnest(docs.tags || excluded.tags) order by 1) returning id, body, tags",
]);

const large = writes('select count(*), sum(delay), sum(distance), min(id), max(id) from flights', [
    'update flights set delay = delay + 1 where distance > 1000',
    'update flights set delay = 0 where id between 100 and 200 returning id',
    'delete from flights where delay < 0',
    'delete from flights where id % 10 = 0',
    'insert into flights (id, delay, distance, "time") select id + 1000000, -delay, distance, "time" from flights where id <= 500',
]);

export const changes = [...people, ...orders, ...rowsWithoutKey, ...everyType, ...documents, ...large];
