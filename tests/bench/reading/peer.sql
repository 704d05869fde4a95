-- The peer's tables: integer keys, as one would make them by hand, filled with what the hub holds.
-- `hub` beside each key says which id of the hub it stands for, so that answers can be compared.
drop schema if exists peer cascade;
create schema peer;
set search_path = peer, public;

create table clb (id int primary key, hub uuid not null unique, institution_number text not null);
insert into clb select row_number() over (order by c.institution_number), c.id, c.institution_number from public.clb c;

create table school (id int primary key, hub uuid not null unique, institution_number text not null, name text not null, city text not null);
insert into school select row_number() over (order by s.id), s.id, s.institution_number, s.name, s.city from public.school s;

create table agreement (id int primary key, school_id int not null references school, clb_id int not null references clb, school_year int not null);
insert into agreement
select row_number() over (), s.id, c.id, 2025
from public.agreement a join school s on s.hub = a.school_id join clb c on c.hub = a.clb_id;

create table class_group (id int primary key, hub uuid not null unique, school_id int not null references school, school_year int not null,
    name text not null, grade text);
insert into class_group
select row_number() over (order by g.id), g.id, s.id, g.school_year, g.name, g.grade
from public.class_group g join school s on s.hub = g.school_id;

create table pupil (id int primary key, hub uuid not null unique, first_name text not null, last_name text not null, birth_date date,
    gender text, street text, postal_code text, city text, home_language text, current_school_id int not null references school);
insert into pupil
select row_number() over (order by r.pupil_id), r.pupil_id, r.given_name, r.family_name, r.birth_date, r.sex, r.street, r.postal_code, r.city,
       r.language, s.id
from public.record r join school s on s.hub = r.school_id;

create table enrolment (id int primary key, hub uuid not null unique, pupil_id int not null references pupil,
    school_id int not null references school, class_group_id int not null references class_group, school_year int not null,
    start_date date not null, end_date date, unique (pupil_id, school_year));
insert into enrolment
select row_number() over (order by e.id), e.id, p.id, s.id, g.id, 2025, e.begins_on, e.ends_on
from public.enrolment e join public.membership m on m.record_id = e.record_id
join pupil p on p.hub = e.pupil_id join school s on s.hub = e.school_id join class_group g on g.hub = m.class_id;

create table absence (pupil_id int not null, day date not null, half text not null, code text not null, school_id int not null,
    school_year int not null);
insert into absence
select p.id, a.day, case a.part when 0 then 'AM' else 'PM' end,
       (array['A','B','H','M','P','R','Z','N','X'])[a.mark], p.current_school_id, a.school_year
from public.absence a join pupil p on p.hub = a.pupil_id order by 1, 2, 3;

create table truancy_count (pupil_id int not null, school_year int not null, school_id int not null, b_count int not null,
    crossed_5 date, crossed_30 date);
insert into truancy_count
select p.id, t.school_year, p.current_school_id, t.half_days, t.reached_5, t.reached_30
from public.tally t join pupil p on p.hub = t.pupil_id where t.half_days > 0;

alter table absence add primary key (pupil_id, day, half);
alter table truancy_count add primary key (pupil_id, school_year);
create index truancy_by_school on truancy_count (school_id, b_count desc, pupil_id);
create index truancy_by_count on truancy_count (b_count desc, pupil_id) where b_count >= 5;
create index pupil_school on pupil (current_school_id, id);
create index enrolment_class on enrolment (class_group_id, pupil_id);
create index enrolment_school on enrolment (school_id, school_year);
create index class_group_school on class_group (school_id, school_year);
create index agreement_clb on agreement (clb_id, school_year, school_id);
