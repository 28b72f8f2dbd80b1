-- The ledger. Consent facts are kept as they were said; `grants.status` is derived from them by tasks.protocol under the
-- talent's row lock. Partial indices on state keep the cost of one more publish or revocation flat as rows pile up.

create table talents (
    talent_id text primary key,
    pseudonym text not null unique,
    fence bigint not null default 0,
    void_below bigint not null default 0,
    twin_void_below bigint not null default 0,
    on_hold boolean not null default false,
    hold_reason text,
    withdrawn_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    changed_at timestamptz not null default clock_timestamp()
);

-- every fact, once per (source, id)
create table consent_facts (
    fact_id bigint generated always as identity primary key,
    source text not null,
    event_id text not null,
    raw_digest text not null,
    kind text not null,
    talent_id text not null references talents,
    grant_id text,
    version integer,
    effect text not null,
    detail text not null default '',
    fence bigint not null,
    raw bytea not null,
    said_by text not null default '',
    recorded_at timestamptz not null default clock_timestamp(),
    unique (source, event_id)
);
create index consent_facts_talent on consent_facts (talent_id, fact_id);

create table grant_versions (
    talent_id text not null references talents,
    grant_id text not null,
    version integer not null,
    narrowed boolean not null,
    digest text not null,
    overruled text[] not null default '{}',
    body text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (talent_id, grant_id, version)
);

create table grants (
    talent_id text not null references talents,
    grant_id text not null,
    pseudonym text not null unique,
    floor integer not null default 0,
    status text not null,
    dirty boolean not null default true,
    review_at timestamptz,
    changed_at timestamptz not null default clock_timestamp(),
    primary key (talent_id, grant_id)
);
create index grants_dirty on grants (talent_id) where dirty;
create index grants_review on grants (review_at) where review_at is not null;

create table grant_uses (
    talent_id text not null,
    grant_id text not null,
    uses integer not null default 0 check (uses >= 0),
    primary key (talent_id, grant_id)
) with (fillfactor = 50);

create table withdrawals (
    withdrawal_id text primary key,
    talent_id text not null references talents,
    grant_id text,
    version integer,
    effective_at timestamptz not null,
    effect text not null,
    reason text not null default '',
    digest text not null,
    fence bigint not null,
    said_by text not null default '',
    recorded_at timestamptz not null default clock_timestamp(),
    planned_at timestamptz,
    completed_at timestamptz,
    unique (talent_id, digest)
);
create index withdrawals_unplanned on withdrawals (recorded_at) where planned_at is null;
create index withdrawals_open on withdrawals (recorded_at) where planned_at is not null and completed_at is null;

create table twins (
    twin_id text primary key,
    talent_id text not null,
    body text not null,
    folder_key text not null,
    available boolean not null default true,
    changed_at timestamptz not null default clock_timestamp()
);
create index twins_talent on twins (talent_id);
-- a pseudonym is made once and outlives the twin's files
create table twin_pseudonyms (
    twin_id text primary key,
    pseudonym text not null unique
);

create table scenes (
    scene text primary key,
    body text not null,
    key text not null,
    changed_at timestamptz not null default clock_timestamp()
);

-- the newest version of each garment that was taken in
create table garments (
    sku text primary key,
    version integer not null,
    body text not null,
    discontinued boolean not null default false,
    changed_at timestamptz not null default clock_timestamp()
);

create table objects (
    object_id text primary key,
    kind text not null,
    key text not null unique,
    name text not null,
    state text not null check (state in ('INTENT', 'PUBLISHED', 'REVOKING', 'REVOKED')),
    talent_id text not null,
    twin_id text not null,
    grant_id text,
    grant_version integer,
    fence bigint not null,
    sha256 text not null,
    size bigint not null,
    content_type text not null,
    attempt integer not null,
    asset_id text,
    cell_id text,
    use_ends_at timestamptz,
    cause text,
    lease_until timestamptz,
    next_try_at timestamptz not null default clock_timestamp(),
    tries integer not null default 0,
    last_error text,
    second_look_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    changed_at timestamptz not null default clock_timestamp(),
    published_at timestamptz,
    revoked_at timestamptz,
    unique (kind, twin_id, name, attempt)
);
-- at most one attempt at a time is open or live
create unique index objects_one_live on objects (kind, twin_id, name) where state in ('INTENT', 'PUBLISHED');
create index objects_live_of_talent on objects (talent_id, grant_id) where state in ('INTENT', 'PUBLISHED', 'REVOKING');
create index objects_cell on objects (cell_id) where state = 'PUBLISHED' and cell_id is not null;
create index objects_use_end on objects (use_ends_at) where state = 'PUBLISHED' and use_ends_at is not null;
create index objects_leases on objects (lease_until) where state = 'INTENT';
create index objects_to_sweep on objects (next_try_at) where state = 'REVOKING';
create index objects_second_look on objects (second_look_at) where second_look_at is not null;
create index objects_sha256 on objects (sha256);

create table assets (
    asset_id text primary key,
    object_id text not null,
    cell_id text not null,
    sku text not null,
    garment_version integer not null,
    category text not null,
    brand text not null,
    talent_id text not null,
    twin_id text not null,
    scene text not null,
    format text not null,
    use text not null,
    grant_id text not null,
    grant_version integer not null,
    recipe text not null,
    recipe_digest text not null,
    phash text not null,
    measures text not null,
    checks text not null,
    decision_id bigint,
    width integer not null,
    height integer not null,
    preview_only boolean not null,
    created_at timestamptz not null default clock_timestamp()
);
create index assets_cell on assets (cell_id);
create index assets_slot on assets (sku, twin_id, scene, format);
create index assets_talent on assets (talent_id, created_at);
create index assets_recent on assets (created_at);

create table accruals (
    asset_id text primary key,
    talent_id text not null,
    grant_id text not null,
    grant_version integer not null,
    amount numeric not null,
    currency text not null,
    per text not null,
    accrued_at timestamptz not null default clock_timestamp()
);
create index accruals_talent on accruals (talent_id, accrued_at);

create table decisions (
    decision_id bigint generated by default as identity primary key,
    run text not null,
    cell_id text not null,
    sku text not null,
    garment_version integer not null,
    talent_id text not null,
    cell text not null,
    outcome text not null,
    decision text not null,
    alternative text,
    decided_at timestamptz not null default clock_timestamp()
);
create index decisions_sku on decisions (sku, decision_id);
create index decisions_cell on decisions (cell_id, decision_id);

create table rejections (
    rejection_id bigint generated always as identity primary key,
    run text not null,
    cell_id text not null,
    sku text not null,
    cell text not null,
    recipe_digest text not null,
    measures text not null,
    rejected_at timestamptz not null default clock_timestamp(),
    unique (run, cell_id, recipe_digest)
);
create index rejections_sku on rejections (sku, rejection_id);

create table targets (
    withdrawal_id text not null references withdrawals,
    object_id text not null,
    state text not null check (state in ('open', 'kept', 'done')),
    kept_until timestamptz,
    primary key (withdrawal_id, object_id)
);
create index targets_open on targets (withdrawal_id) where state = 'open';
create index targets_object on targets (object_id);

create table evidence (
    evidence_id bigint generated always as identity primary key,
    object_id text not null,
    kind text not null,
    body text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    position bigint unique,
    hash text
);
create index evidence_unsealed on evidence (evidence_id) where position is null;
create index evidence_object on evidence (object_id);

create table heads (
    position bigint primary key,
    hash text not null,
    signature text not null,
    sealed_at timestamptz not null default clock_timestamp()
);

create table receipts (
    withdrawal_id text primary key references withdrawals,
    receipt text not null,
    payload text not null,
    stored_at timestamptz not null default clock_timestamp()
);

create table inbox (
    inbox_id bigint generated always as identity primary key,
    topic text not null,
    partition integer not null,
    log_offset bigint not null,
    source text not null,
    event_id text not null,
    digest text not null,
    type text not null,
    sku text not null,
    version integer not null,
    raw bytea not null,
    event_time timestamptz not null,
    state text not null default 'queued' check (state in ('queued', 'claimed', 'done')),
    outcome text,
    summary text,
    attempts integer not null default 0,
    lease_token text,
    lease_until timestamptz,
    worker text,
    not_before timestamptz not null default clock_timestamp(),
    last_error text,
    accepted_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    unique (source, event_id)
);
create index inbox_open on inbox (inbox_id) where state <> 'done';
create index inbox_open_sku on inbox (sku, version) where state <> 'done';
create index inbox_sku on inbox (sku, inbox_id);
-- one SKU is never worked on twice at a time
create unique index inbox_one_claim_per_sku on inbox (sku) where state = 'claimed';

create table positions (
    consumer_group text not null,
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    primary key (consumer_group, topic, partition)
);

create table watermarks (
    topic text not null,
    partition integer not null,
    read_to_end_at timestamptz,
    primary key (topic, partition)
);

create table outbox (
    outbox_id bigint generated always as identity primary key,
    event_id text not null unique,
    topic text not null,
    key text not null,
    value bytea not null,
    headers text not null default '[]',
    queued_at timestamptz not null default clock_timestamp(),
    sent_at timestamptz
);
create index outbox_unsent on outbox (outbox_id) where sent_at is null;

create table dead_letters (
    dead_letter_id bigint generated always as identity primary key,
    topic text not null,
    partition integer not null,
    log_offset bigint not null,
    key bytea,
    raw bytea not null,
    code text not null,
    message text not null,
    source text,
    event_id text,
    attempts integer not null,
    dead_at timestamptz not null default clock_timestamp(),
    replayed_at timestamptz
);

create table access_log (
    access_id bigint generated always as identity primary key,
    asset_id text not null,
    outcome text not null,
    reader text not null,
    at timestamptz not null default clock_timestamp()
);
create index access_log_asset on access_log (asset_id, access_id);
create index talents_changed on talents (changed_at);
