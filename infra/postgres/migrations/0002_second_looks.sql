-- A withdrawal also waits for objects that were revoked for another reason and are still to be looked at again.
create index objects_looks_of_talent on objects (talent_id) where second_look_at is not null;
create index objects_revoked_of_talent on objects (talent_id, revoked_at) where state = 'REVOKED';
