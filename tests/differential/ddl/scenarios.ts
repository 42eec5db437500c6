/**
 * DDL over rows, as lists of statements that are answered alike by PostgreSQL. `-- pause` is where a run may flush,
 * restart, kill the server or wipe its twin; it never stands in a transaction.
 */

export interface Scenario {
    readonly name: string;
    readonly statements: readonly string[];
    /** Shows numbers of sequences: a crash leaves gaps in them, as it does in PostgreSQL. */
    readonly drawsNumbers: boolean;
}

/** One statement a line; a line that begins with white space goes on with the statement before. */
function scenario(name: string, text: string): Scenario {
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    const statements: string[] = [];
    for (const line of lines) {
        if (/^\s/.test(line) && statements.length > 0) statements.push(`${statements.pop() ?? ''}\n${line}`);
        else statements.push(line);
    }
    return {name, statements, drawsNumbers: /nextval|serial|identity/.test(text)};
}

export const SCENARIOS: readonly Scenario[] = [
    scenario(
        'columns added, dropped and renamed',
        `
create table c (id integer primary key, a text, b integer)
insert into c select g, 'a' || g, g * 10 from generate_series(1, 8) g
-- pause
alter table c add column d integer
alter table c add column e text default 'none'
alter table c add column f timestamptz default '2024-01-01 00:00+00' not null
alter table c add column if not exists e text
alter table c add column e text
-- pause
select * from c order by id
select id, e, f from c where id = 3
select e, count(*) from c group by e
update c set e = 'some', d = id where id % 2 = 0
insert into c (id, a) values (9, 'nine') returning *
-- pause
select * from c order by id
alter table c alter column e set default 'later'
insert into c (id, a) values (10, 'ten') returning *
select e, count(*), sum(d) from c group by e order by e
-- pause
alter table c drop column b
alter table c drop column b
alter table c drop column if exists b
select * from c order by id
select * from c where id = 4
alter table c rename column a to label
select label, upper(e), initcap(label) from c where id in (1, 2) order by 1
select a from c
-- pause
alter table c add column b numeric(6, 2) default 1.5
select * from c order by id
update c set b = b * id where id < 5
delete from c where id = 1 returning *
select * from c order by id
select sum(b), min(label), max(f) from c
alter table c rename to cc
select count(*) from c
-- pause
select * from cc order by id
alter table cc rename to c
alter table c drop column label, add column label integer default 7
select * from c order by id
-- pause
select * from c where id = 5
insert into c default values
insert into c (id) values (100) returning *
drop table c
select * from c
`,
    ),
    scenario(
        'types changed',
        `
create table r (id integer primary key, i integer, t text, n numeric(8, 2), v varchar(10), s timestamp, f real, ar integer[])
insert into r select g, g, g::text, g * 1.25, 'v' || g, '2024-01-01'::timestamp + g * interval '1 hour', g / 4.0, array[g, g + 1] from generate_series(1, 6) g
insert into r (id) values (7)
-- pause
alter table r alter column i type bigint
select * from r order by id
select sum(i) from r where i > 2
-- pause
alter table r alter column t type integer using t::integer
select id, t + 1 from r where id = 3
select * from r order by id
update r set t = t + 5 where id = 3
-- pause
alter table r alter column n type numeric(12, 4)
select * from r order by id
alter table r alter column n type numeric
insert into r (id, n) values (8, 123456789012345678901234567890.5)
select * from r order by id
-- pause
alter table r alter column v type text
update r set v = repeat('x', 20) where id = 1
alter table r alter column v type varchar(5)
alter table r alter column v type varchar(5) using left(v, 5)
select v, length(v) from r order by id
alter table r alter column s type timestamptz
select id, s from r order by id
alter table r alter column f type double precision
alter table r alter column ar type bigint[]
select id, f, ar from r order by id
-- pause
alter table r alter column i type text
select i || '!' from r order by id
alter table r alter column i type integer
alter table r alter column i type integer using i::integer
alter table r alter column id type bigint
select * from r where id = 2
insert into r (id, i) values (5000000000, 1) returning id
select * from r order by id
-- pause
select count(*), max(id) from r
alter table r alter column id type smallint
delete from r where id = 5000000000
alter table r alter column id type smallint
select id from r where id = 4
drop table r
`,
    ),
    scenario(
        'constraints',
        `
create table k (id integer, a integer, b text)
insert into k select g, g % 3, 'b' || g from generate_series(1, 6) g
insert into k values (7, null, null)
-- pause
alter table k alter column a set not null
update k set a = 0 where a is null
alter table k alter column a set not null
insert into k values (8, null, 'x')
-- pause
alter table k add constraint k_positive check (a >= 0)
alter table k add constraint k_small check (a < 2)
insert into k values (8, -1, 'x')
update k set a = -1 where id = 3
alter table k add primary key (id)
insert into k values (1, 1, 'x')
select * from k where id = 1
-- pause
alter table k add constraint k_b unique (b)
insert into k values (8, 1, 'b1')
insert into k values (8, 1, 'b8'), (9, 1, null)
update k set b = 'b2' where id = 8
-- pause
insert into k values (10, 1, 'b2')
insert into k values (10, 1, 'b2') on conflict (b) do update set a = k.a + 10 returning *
insert into k values (1, 1, 'zz') on conflict do nothing
alter table k drop constraint k_b
insert into k values (10, 1, 'b2')
alter table k add constraint k_b unique (b)
delete from k where id = 10
alter table k add constraint k_b unique (b)
-- pause
alter table k drop constraint k_pkey
insert into k values (1, 2, 'again')
select * from k where id = 1 order by b
alter table k add primary key (id)
delete from k where b = 'again'
alter table k add primary key (id)
alter table k alter column id drop not null
-- pause
alter table k rename constraint k_positive to k_pos
insert into k values (20, -5, 'x')
alter table k drop constraint k_pos
insert into k values (20, -5, 'x') returning *
alter table k alter column a drop not null
insert into k values (21, null, 'y') returning *
select * from k order by id
alter table k drop constraint nope
alter table k drop constraint if exists nope
-- pause
alter table k drop constraint k_pkey
alter table k add primary key (b, id)
select * from k where b = 'b3' and id = 3
drop table k
`,
    ),
    scenario(
        'indexes',
        `
create table x (id integer primary key, a integer, b text, c date)
insert into x select g, g % 4, 'b' || g % 5, '2024-01-01'::date + g from generate_series(1, 40) g
-- pause
create index x_a on x (a)
create index on x (b, a)
create unique index x_c on x (c)
create unique index x_ab on x (a, b)
create index if not exists x_a on x (a)
create index x_a on x (a)
-- pause
select id from x where a = 3 order by id
select id from x where b = 'b2' and a = 1 order by id
select id, a from x where c = '2024-01-05'
insert into x values (41, 9, 'z', '2024-01-05')
update x set a = 3 where id = 4
delete from x where a = 2
select id from x where a = 3 order by id
-- pause
select id from x where a = 3 order by id
select id from x where c = '2024-01-05'
insert into x values (42, 9, 'z', '2024-01-05') on conflict (c) do update set b = 'upserted' returning a, b
insert into x values (43, 9, 'Q', '2025-01-01')
-- pause
insert into x values (44, 9, 'q', '2025-01-03')
drop index x_c
drop index x_c
drop index if exists x_c
insert into x values (45, 9, 'z', '2024-01-05')
select id, a, b from x where c = '2024-01-05' order by id
-- pause
alter index x_a rename to x_aa
select id from x where a = 9 order by id
drop table x
`,
    ),
    scenario(
        'enums and domains',
        `
create type color as enum ('red', 'green')
create domain even as integer check (value % 2 = 0)
create domain name_text as text not null check (length(value) < 6)
create table e (id integer primary key, c color, v even, n name_text)
insert into e values (1, 'red', 2, 'a'), (2, 'green', null, 'b')
insert into e values (3, 'blue', 2, 'c')
insert into e values (3, 'red', 3, 'c')
insert into e values (3, 'red', 2, null)
insert into e values (3, 'red', 2, 'toolong')
-- pause
alter type color add value 'blue'
insert into e values (3, 'blue', 4, 'c')
alter type color add value if not exists 'blue'
alter type color add value 'blue'
alter type color add value 'amber' before 'green'
insert into e values (4, 'amber', 6, 'd')
-- pause
select * from e order by c, id
select c, count(*) from e group by c order by c
select * from e where c > 'amber' order by id
select max(c), min(c) from e
select * from e order by id
update e set c = 'red' where id = 4
-- pause
select * from e order by id
update e set v = 5 where id = 1
update e set v = 8 where id = 1 returning *
-- pause
alter domain name_text drop not null
insert into e values (5, null, null, null)
select * from e order by id
alter type color rename to colour
select 'amber'::colour
drop type colour
drop domain even
drop table e
drop type colour
drop domain even, name_text
`,
    ),
    scenario(
        'views over views, schemas, search_path, dependencies',
        `
create schema s1
create schema if not exists s1
create table s1.base (id integer primary key, v integer, w text)
insert into s1.base select g, g * g, 'w' || g from generate_series(1, 5) g
create view s1.odd as select id, v from s1.base where v % 2 = 1
create view s1.big as select o.id, o.v, b.w from s1.odd o join s1.base b using (id) where o.v > 5
select * from s1.big order by id
-- pause
select * from s1.big order by id
select count(*) from s1.odd
alter table s1.base drop column w
alter table s1.base drop column v
drop table s1.base
drop view s1.odd
alter table s1.base rename column v to value
select * from s1.odd order by id
-- pause
create or replace view s1.odd as select id, value as v, value + 1 as more from s1.base where value % 2 = 1
select * from s1.odd order by id
select * from s1.big order by id
create or replace view s1.odd as select id from s1.base
alter schema s1 rename to s2
select * from s2.big order by id
select * from s1.big
set search_path to s2, public
select * from big order by id
create table here (id integer)
select count(*) from s2.here
set search_path to default
select count(*) from here
-- pause
select count(*) from s2.here
alter table s2.here set schema public
select count(*) from here
drop table here
drop schema s2
drop view s2.odd cascade
select * from s2.big
insert into s2.base values (6, 36, 'six')
drop schema s2 cascade
select * from s2.base
`,
    ),
    scenario(
        'sequences',
        `
create sequence q start 5 increment 3
select nextval('q'), nextval('q'), currval('q')
create table sq (id serial primary key, g integer generated always as identity, h integer generated by default as identity (start 100 increment 10), x integer default nextval('q'))
insert into sq default values returning *
insert into sq (h) values (7) returning *
insert into sq (g) values (7)
insert into sq (g) overriding system value values (70) returning *
insert into sq (id) values (1)
-- pause
insert into sq default values returning *
select lastval()
select setval('sq_id_seq', 50), nextval('sq_id_seq')
select setval('sq_id_seq', 60, false), nextval('sq_id_seq')
insert into sq default values returning id, g, h, x
-- pause
alter sequence q restart
select nextval('q')
alter sequence q restart with 1000 increment -1
select nextval('q'), nextval('q')
alter sequence q minvalue 990 maxvalue 2000 cycle
select nextval('q')
alter table sq alter column h restart with 500
insert into sq default values returning h
-- pause
select nextval('q')
insert into sq default values returning h
truncate sq
insert into sq default values returning id, g, h
truncate sq restart identity
insert into sq default values returning id, g, h
-- pause
insert into sq default values returning id, g, h
alter table sq alter column g drop identity
insert into sq default values
alter table sq alter column g drop not null
insert into sq default values returning g
alter table sq alter column g add generated by default as identity
drop sequence sq_id_seq
drop sequence q
alter table sq alter column x drop default
drop sequence q
select nextval('q')
create sequence o owned by sq.x
alter table sq drop column x
select nextval('o')
drop table sq
select nextval('sq_id_seq')
create sequence tiny as smallint maxvalue 3
select nextval('tiny'), nextval('tiny'), nextval('tiny')
select nextval('tiny')
-- pause
select nextval('tiny')
select setval('tiny', 4)
drop sequence tiny
drop sequence if exists tiny
`,
    ),
    scenario(
        'transactional DDL',
        `
create table t1 (id integer primary key, v text)
insert into t1 values (1, 'one'), (2, 'two')
-- pause
begin
alter table t1 add column w integer default 5
select * from t1 order by id
insert into t1 values (3, 'three', 6)
create table t2 (id integer primary key)
insert into t2 values (1)
rollback
select * from t1 order by id
select * from t2
-- pause
begin
insert into t1 values (3, 'three')
savepoint a
alter table t1 add column w integer default 5
update t1 set w = id where id = 3
select * from t1 order by id
savepoint b
alter table t1 drop column v
insert into t1 values (4, 44)
select * from t1 order by id
rollback to b
select * from t1 order by id
insert into t1 values (4, 'four', 4)
rollback to a
select * from t1 order by id
insert into t1 values (5, 'five')
commit
select * from t1 order by id
-- pause
begin
create table t2 (id integer primary key, r integer)
insert into t2 select row_number() over (order by id), id from t1
create index on t2 (r)
alter table t2 add column z text default 'z'
select * from t2 order by id
truncate t1
select count(*) from t1
insert into t1 values (9, 'nine')
commit
select * from t1 order by id
select * from t2 where r = 2
-- pause
begin
drop table t2
select * from t2
rollback
select count(*) from t2
begin
truncate t2
rollback
select count(*) from t2
begin
drop table t2
create table t2 (other text)
insert into t2 values ('new')
select * from t2
savepoint s
drop table t2
rollback to s
select * from t2
commit
select * from t2
-- pause
select * from t2
begin
alter table t1 alter column id type text
select id || 'x' from t1
insert into t1 values ('k', 'key')
rollback
select id + 1 from t1
begin
create type tt as enum ('p', 'q')
create table t3 (c tt)
insert into t3 values ('p')
select * from t3
rollback
select 'p'::tt
select * from t1 where id = 9
drop table t1, t2
`,
    ),
    scenario(
        'truncate, comments, create as, like, temporary',
        `
create table a (id integer primary key, v text default 'dv' check (v <> 'no'))
insert into a select g from generate_series(1, 5) g
comment on table a is 'about a'
comment on column a.v is 'about v'
select obj_description('a'::regclass), col_description('a'::regclass, 2)
-- pause
select obj_description('a'::regclass), col_description('a'::regclass, 2)
create table b as select id, v || '!' as w from a where id > 2
select * from b order by id
create table b as select 1
create table if not exists b as select 1
create table l (like a including all)
insert into l (id) values (1) returning *
insert into l values (2, 'no')
-- pause
select * from b order by id
select * from l
truncate a, b
select count(*) from a
insert into a values (1) returning *
-- pause
select * from a
select count(*) from b
select * into c2 from a
select * from c2
drop table a, b, c2, l
drop table if exists a, b
create table dup (id integer primary key, id integer)
create table nocol ()
insert into nocol default values
select * from nocol
select count(*) from nocol
-- pause
select count(*) from nocol
drop table nocol
`,
    ),
    scenario(
        'names that need quotes, long names, many columns',
        `
create table "Odd ""Table"" näme" ("Id" integer primary key, "a b" text, "A B" text, "quote""d" integer, "select" boolean, "ünï" date)
insert into "Odd ""Table"" näme" values (1, 'x', 'X', 1, true, '2024-01-01'), (2, 'y', null, 2, false, null)
-- pause
select * from "Odd ""Table"" näme" order by "Id"
select "a b", "A B", "quote""d" from "Odd ""Table"" näme" where "Id" = 1
select max("a b"), count("A B"), bool_or("select") from "Odd ""Table"" näme"
update "Odd ""Table"" näme" set "a b" = 'z', "quote""d" = "quote""d" + 1 where "select" returning *
create index "idx ""q""" on "Odd ""Table"" näme" ("a b")
select "Id" from "Odd ""Table"" näme" where "a b" = 'z'
-- pause
alter table "Odd ""Table"" näme" rename column "a b" to "c,d"
select * from "Odd ""Table"" näme" order by "Id"
drop table "Odd ""Table"" näme"
create table abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz (abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklm integer primary key)
insert into abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz values (1)
-- pause
select * from abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk
drop table abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk
create table _rowid (_rowid integer primary key, _owner text, c1 integer, "_SEQ" integer)
insert into _rowid values (1, 'o', 2, 3)
-- pause
select * from _rowid
select max(_rowid), min(_owner), sum(c1), sum("_SEQ") from _rowid
update _rowid set _owner = 'p' where c1 > 0
select * from _rowid where _rowid = 1
drop table _rowid
`,
    ),
];
