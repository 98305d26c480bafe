-- Where traces go on (W3C Trace Context): nothing but random ids and flags.

-- Of the event that asked for the deletion.
ALTER TABLE deletions ADD traceparent text;

-- Of the projection that last changed the adapter's members.
ALTER TABLE dirty_adapters ADD traceparent text;

-- Of the build whose versions the event announces.
ALTER TABLE outbox ADD traceparent text;
