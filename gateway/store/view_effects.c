/*
 * The view's tables, and what each action of the log does to them
 *
 * Read from top to bottom: the tables, then one row an action. In each table
 * that a decision rests on, `seq` is the entry that says what the row says, and
 * `state_seq` the one that says its state (evidence.c compares them).
 */
#include "gateway/store/view_effects.h"

#include "gateway/store/view.h"

#include <stddef.h>

/* Of the tables and of what the effects below make of an entry: with another one the view is made anew from the log. */
const int gbx_view_version = 6;

const char gbx_view_schema[] =
        "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"
        /* since: the entry from which on the user has this key without a break. */
        "CREATE TABLE user(name TEXT PRIMARY KEY, roles TEXT, ssh_key TEXT, age TEXT, state TEXT, since INTEGER, seq INTEGER,"
        " state_seq INTEGER) WITHOUT ROWID;"
        "CREATE TABLE policy(seq INTEGER PRIMARY KEY, digest TEXT, name TEXT, purpose TEXT, state TEXT, state_seq INTEGER);"
        "CREATE TABLE dataset(name TEXT, version INTEGER, owner TEXT, stored TEXT, ciphertext TEXT,"
        " schema TEXT, schema_source TEXT, manifest TEXT, signature TEXT, bytes INTEGER, state TEXT, seq INTEGER, state_seq INTEGER,"
        " PRIMARY KEY(name, version)) WITHOUT ROWID;"
        /* Whose a name is, a row a change: who registered it first, then whom it was transferred to. */
        "CREATE TABLE ownership(seq INTEGER PRIMARY KEY, name TEXT, owner TEXT, statement TEXT);"
        "CREATE TABLE algorithm(digest TEXT PRIMARY KEY, name TEXT, engine TEXT, submitter TEXT,"
        " bytes INTEGER, deterministic INTEGER, seq INTEGER) WITHOUT ROWID;"
        "CREATE TABLE approval(seq INTEGER PRIMARY KEY, algorithm TEXT, reviewer TEXT, decision TEXT,"
        " purpose TEXT, policy TEXT, statement TEXT, signature TEXT, ssh_key TEXT, expires TEXT, time TEXT, state TEXT, state_seq INTEGER);"
        "CREATE TABLE run(id TEXT PRIMARY KEY, algorithm TEXT, requester TEXT, purpose TEXT, datasets TEXT,"
        " policy TEXT, request TEXT, state TEXT, outcome TEXT, denied INTEGER, cpu_ms INTEGER, wall_ms INTEGER,"
        " memory_bytes INTEGER, output TEXT, findings TEXT, sealed TEXT, seq INTEGER, state_seq INTEGER) WITHOUT ROWID;"
        "CREATE INDEX run_seq ON run(seq);"
        /* Runs that somebody is at work on, or was: GBX_VIEW_RUN_OPEN asks for them. */
        "CREATE INDEX run_open ON run(id) WHERE " GBX_VIEW_RUN_OPEN ";"
        "CREATE TABLE output_review(seq INTEGER PRIMARY KEY, run TEXT, reviewer TEXT, decision TEXT, output TEXT, findings TEXT,"
        " policy TEXT, statement TEXT, signature TEXT, ssh_key TEXT, time TEXT);"
        "CREATE TABLE release(id TEXT PRIMARY KEY, run TEXT, recipient TEXT, state TEXT, outputs TEXT,"
        " mark TEXT, family TEXT, provenance TEXT, record TEXT, fetched INTEGER, seq INTEGER) WITHOUT ROWID;"
        "CREATE INDEX release_seq ON release(seq);"
        "CREATE TABLE flow(seq INTEGER PRIMARY KEY, run TEXT, requester TEXT, purpose TEXT, datasets TEXT,"
        " day TEXT, rule TEXT, destination TEXT, outcome TEXT, sent INTEGER, received INTEGER);"
        /* What was used on a day: with an empty dataset each flow once, and once more for each dataset of its run. */
        "CREATE TABLE flow_usage(day TEXT, requester TEXT, purpose TEXT, dataset TEXT, rule TEXT,"
        " connections INTEGER, sent INTEGER, received INTEGER, PRIMARY KEY(day, requester, purpose, dataset, rule)) WITHOUT ROWID;"
        /* Refusals and failures of flows, by analyst and by dataset. */
        "CREATE TABLE flow_failure(kind TEXT, name TEXT, time TEXT, seq INTEGER, count INTEGER,"
        " PRIMARY KEY(kind, name, time, seq)) WITHOUT ROWID;"
        "CREATE TABLE breaker(kind TEXT, name TEXT, state TEXT, failures INTEGER, time TEXT, actor TEXT, seq INTEGER,"
        " PRIMARY KEY(kind, name)) WITHOUT ROWID;"
        /* How many there ever were: the number of the next run, release, heartbeat. */
        "CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"
        "CREATE TABLE seal(tbl TEXT, stretch INTEGER, sum BLOB, PRIMARY KEY(tbl, stretch)) WITHOUT ROWID;"
        "INSERT INTO meta VALUES('applied', 0);";

/* All but meta and seal; seal.h and the digest go through them. */
const char *const gbx_view_tables[] = { "user", "policy", "dataset", "ownership", "algorithm", "approval", "run", "output_review", "release", "flow", "flow_usage",
                                        "flow_failure", "breaker", "counter", NULL };

#define D(field) "json_extract(:e, '$.details." field "')"
#define OBJECT "json_extract(:e, '$.object')"
#define ACTOR "json_extract(:e, '$.actor')"
#define OUTCOME "json_extract(:e, '$.outcome')"

#define TIME "json_extract(:e, '$.time')"
#define DAY "substr(" TIME ",1,10)"
#define RULE "COALESCE(" D("rule") ",'')"

/* The run of a flow, once under no dataset and once under each of its own. */
#define RUN_AND_DATASETS \
        "(SELECT requester, purpose, '' AS dataset FROM run WHERE id=" OBJECT \
        " UNION ALL SELECT requester, purpose, value FROM run, json_each(run.datasets) WHERE run.id=" OBJECT ")"
/* Those whom a failure of the run's flows is counted for. */
#define RUN_CONCERNS \
        "(SELECT 'analyst' AS kind, requester AS name FROM run WHERE id=" OBJECT \
        " UNION ALL SELECT 'dataset', value FROM run, json_each(run.datasets) WHERE run.id=" OBJECT ")"
/* Flows that were refused only because something had been closed before say nothing new. */
#define FAILED "(" OUTCOME "<>'done' AND COALESCE(json_extract(:e, '$.reasons[0]'),'') NOT IN ('breaker','cut'))"
#define COUNT_FAILURES \
        "INSERT INTO flow_failure SELECT kind, name, " TIME ", :seq, " FAILED "+COALESCE(" D("left_out") ",0) FROM " RUN_CONCERNS \
        " WHERE " FAILED "+COALESCE(" D("left_out") ",0) > 0"

#define COUNT(name) "INSERT INTO counter VALUES('" name "', 1) ON CONFLICT(name) DO UPDATE SET value=value+1"
#define NEW_STATE(state) "state='" state "', state_seq=:seq"
/* A user's whole row stands in the entry, so that the entry alone says what the user is. */
#define PUT_USER \
        "INSERT INTO user VALUES(" OBJECT "," D("roles") "," D("ssh_key") "," D("age") ",'active',:seq,:seq,:seq)" \
        " ON CONFLICT(name) DO UPDATE SET since=CASE WHEN state='active' AND ssh_key=excluded.ssh_key THEN since ELSE excluded.since END," \
        " roles=excluded.roles, ssh_key=excluded.ssh_key, age=excluded.age, state='active', seq=excluded.seq, state_seq=excluded.seq"

/* What each action does to the view. Actions that are not listed change nothing. */
const struct gbx_view_effect gbx_view_effects[] = {
        { "user.add", PUT_USER },
        { "user.change", PUT_USER },
        { "user.remove", "UPDATE user SET " NEW_STATE("removed") " WHERE name=" OBJECT },
        { "policy.apply", "UPDATE policy SET " NEW_STATE("replaced") " WHERE state='in-force' AND purpose=" D("purpose") ";"
                          "INSERT INTO policy VALUES(:seq," D("digest") "," OBJECT "," D("purpose") ",'in-force',:seq)" },
        { "policy.withdraw", "UPDATE policy SET " NEW_STATE("withdrawn") " WHERE state='in-force' AND purpose=" D("purpose") },
        { "data.add", "UPDATE dataset SET " NEW_STATE("replaced") " WHERE name=" OBJECT " AND state='active';"
                      "INSERT INTO dataset VALUES(" OBJECT "," D("version") "," D("owner") "," D("stored") "," D("ciphertext")
                      "," D("schema") "," D("schema_source") "," D("manifest") "," D("signature") "," D("bytes") ",'active',:seq,:seq);"
                      "INSERT INTO ownership SELECT :seq," OBJECT "," D("owner") ",NULL WHERE NOT EXISTS(SELECT 1 FROM ownership WHERE name=" OBJECT ")" },
        { "data.transfer", "INSERT INTO ownership VALUES(:seq," OBJECT "," D("owner") "," D("statement") ")" },
        { "data.revoke", "UPDATE dataset SET " NEW_STATE("revoked") " WHERE name=" OBJECT " AND state IN ('active','replaced')" },
        { "data.destroy", "UPDATE dataset SET " NEW_STATE("destroyed") " WHERE name=" OBJECT },
        { "algo.submit", "INSERT OR IGNORE INTO algorithm VALUES(" OBJECT "," D("name") "," D("engine") "," ACTOR "," D("bytes")
                         "," D("deterministic") ",:seq)" },
        { "review.approve", "INSERT INTO approval VALUES(:seq," OBJECT "," ACTOR ",'approve'," D("purpose") "," D("policy")
                            "," D("statement") "," D("signature") "," D("ssh_key") "," D("expires") "," TIME ",'active',:seq)" },
        { "review.reject", "INSERT INTO approval VALUES(:seq," OBJECT "," ACTOR ",'reject'," D("purpose") "," D("policy")
                           ",NULL,NULL,NULL,NULL," TIME ",'active',:seq);"
                           "UPDATE approval SET " NEW_STATE("revoked") " WHERE algorithm=" OBJECT " AND reviewer=" ACTOR
                           " AND decision='approve' AND state='active'" },
        { "run.decide", "INSERT INTO run(id,algorithm,requester,purpose,datasets,policy,request,state,seq,state_seq) VALUES(" OBJECT
                        "," D("algorithm") "," ACTOR "," D("purpose") "," D("datasets") "," D("policy") "," D("request")
                        "," OUTCOME ",:seq,:seq);" COUNT("run") },
        { "run.start", "UPDATE run SET " NEW_STATE("running") " WHERE id=" OBJECT },
        { "run.end", "UPDATE run SET " NEW_STATE("ended") ", outcome=" OUTCOME ", denied=" D("denied") ", cpu_ms=" D("cpu_ms")
                     ", wall_ms=" D("wall_ms") ", memory_bytes=" D("memory_bytes") " WHERE id=" OBJECT },
        { "flow.opened", "INSERT INTO flow_usage SELECT " DAY ",requester,purpose,dataset," RULE ",1,0,0 FROM " RUN_AND_DATASETS
                         " WHERE true ON CONFLICT DO UPDATE SET connections=connections+1" },
        { "flow.refused", COUNT_FAILURES },
        { "flow.closed", "INSERT INTO flow_usage SELECT " DAY ",requester,purpose,dataset," RULE ",0,COALESCE(" D("sent") ",0),COALESCE("
                         D("received") ",0) FROM " RUN_AND_DATASETS " WHERE true ON CONFLICT DO UPDATE SET sent=sent+excluded.sent,"
                         " received=received+excluded.received;" COUNT_FAILURES },
        { "breaker.open", "INSERT INTO breaker VALUES(" D("kind") "," OBJECT ",'open'," D("failures") "," TIME "," ACTOR ",:seq)"
                          " ON CONFLICT DO UPDATE SET state='open', failures=excluded.failures, time=excluded.time, actor=excluded.actor,"
                          " seq=excluded.seq" },
        { "breaker.close", "UPDATE breaker SET state='closed', time=" TIME ", actor=" ACTOR ", seq=:seq WHERE kind=" D("kind") " AND name=" OBJECT },
        { "flow.closed", "INSERT INTO flow SELECT :seq,id,requester,purpose,datasets,substr(json_extract(:e, '$.time'),1,10)," D("rule")
                         "," D("destination") "," OUTCOME "," D("sent") "," D("received") " FROM run WHERE id=" OBJECT },
        { "gate.check", "UPDATE run SET state=" OUTCOME ", state_seq=:seq, output=" D("output") ", findings=" D("findings")
                        ", sealed=" D("sealed") " WHERE id=" OBJECT },
        { "gate.hold", "UPDATE run SET " NEW_STATE("held") ", sealed=" D("sealed") " WHERE id=" OBJECT },
        { "output.review", "INSERT INTO output_review VALUES(:seq," OBJECT "," ACTOR "," D("decision") "," D("output") "," D("findings")
                           "," D("policy") "," D("statement") "," D("signature") "," D("ssh_key") "," TIME ")" },
        { "release.approve", "UPDATE run SET " NEW_STATE("approved") " WHERE id=" OBJECT },
        { "release.reject", "UPDATE run SET " NEW_STATE("rejected") " WHERE id=" OBJECT },
        { "release.create", "INSERT INTO release VALUES(" OBJECT "," D("run") "," D("recipient") ",'released'," D("outputs")
                            "," D("mark") "," D("family") "," D("provenance") "," D("record") ",0,:seq);"
                            "UPDATE run SET " NEW_STATE("released") " WHERE id=" D("run") ";" COUNT("release") },
        { "service.recover", "UPDATE run SET " NEW_STATE("failed") ", outcome='failed' WHERE id=" OBJECT },
        { "heartbeat", COUNT("heartbeat") },
        { "release.fetch", "UPDATE release SET fetched=fetched+1 WHERE id=" OBJECT },
        {},
};
