#include "controller/state/schema.h"

#include <array>

#include "protocol/base/text.h"

namespace dunlin::controller {
namespace {

// docs/controller.md, "State", explains the tables.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE projects (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  created_ns INTEGER NOT NULL
) STRICT;

CREATE TABLE services (
  id TEXT PRIMARY KEY,
  project_id TEXT NOT NULL REFERENCES projects (id),
  name TEXT NOT NULL,
  spec TEXT NOT NULL,
  revision INTEGER NOT NULL,
  current_deployment_id TEXT REFERENCES deployments (id),
  created_ns INTEGER NOT NULL,
  updated_ns INTEGER NOT NULL,
  UNIQUE (project_id, name)
) STRICT;

CREATE TABLE deployments (
  id TEXT PRIMARY KEY,
  service_id TEXT NOT NULL REFERENCES services (id) ON DELETE CASCADE,
  number INTEGER NOT NULL,
  spec TEXT NOT NULL,
  spec_hash TEXT NOT NULL,
  cause TEXT NOT NULL,
  message TEXT NOT NULL,
  status TEXT NOT NULL,
  active INTEGER NOT NULL,
  settled INTEGER NOT NULL,
  step TEXT NOT NULL,
  step_spent_ns INTEGER NOT NULL,
  total_spent_ns INTEGER NOT NULL,
  previous_container_id TEXT,
  reason_code TEXT,
  reason_detail TEXT,
  evidence TEXT,
  warnings TEXT NOT NULL,
  superseded_by TEXT,
  created_ns INTEGER NOT NULL,
  started_ns INTEGER,
  healthy_ns INTEGER,
  finished_ns INTEGER,
  UNIQUE (service_id, number)
) STRICT;
-- Two versions of one service must never be rolled out at once, and at most one waits.
CREATE UNIQUE INDEX one_active_deployment ON deployments (service_id) WHERE active = 1;
CREATE UNIQUE INDEX one_waiting_deployment ON deployments (service_id) WHERE status = 'PENDING';

CREATE TABLE containers (
  id TEXT PRIMARY KEY,
  deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  driver TEXT NOT NULL,
  address TEXT NOT NULL,
  port INTEGER NOT NULL,
  state TEXT NOT NULL,
  ready INTEGER NOT NULL,
  restarts INTEGER NOT NULL,
  detail TEXT NOT NULL,
  created_ns INTEGER NOT NULL,
  last_seen_ns INTEGER,
  removed_ns INTEGER,
  UNIQUE (deployment_id, ordinal)
) STRICT;
CREATE UNIQUE INDEX one_container_per_address ON containers (address) WHERE removed_ns IS NULL;

CREATE TABLE events (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
  time_ns INTEGER NOT NULL,
  status TEXT NOT NULL,
  step TEXT NOT NULL,
  note TEXT NOT NULL
) STRICT;
CREATE INDEX events_of_deployment ON events (deployment_id, sequence);

CREATE TABLE idempotency (
  key TEXT PRIMARY KEY,
  request_hash TEXT NOT NULL,
  deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
  created_ns INTEGER NOT NULL
) STRICT;
)sql";

/// The change that leads to version index + 1.
constexpr std::array<const char*, kSchemaVersion> kMigrations = {kVersion1};

Result<std::int64_t> ReadVersion(Database& database) {
  auto statement = database.Prepare("PRAGMA user_version");
  if (!statement) return std::move(statement).error();
  auto row = statement->Step();
  if (!row) return std::move(row).error();
  return statement->Integer(0);
}

Result<void> CheckIntegrity(Database& database) {
  auto statement = database.Prepare("PRAGMA quick_check(1)");
  if (!statement) return std::move(statement).error();
  auto row = statement->Step();
  if (!row) return std::move(row).error();
  std::string verdict = statement->Text(0);
  if (verdict == "ok") return {};
  return Error(ErrorCode::kCorruption,
               Join("the database is damaged (", verdict, "); restore it from a backup"));
}

}  // namespace

Result<void> PrepareSchema(Database& database) {
  if (auto intact = CheckIntegrity(database); !intact) return intact;
  auto version = ReadVersion(database);
  if (!version) return std::move(version).error();
  if (*version > kSchemaVersion) {
    return Error(ErrorCode::kUnsupported,
                 Join("the database has schema ", *version, " and this program knows up to ",
                      kSchemaVersion, "; start the newer program that wrote it"));
  }
  for (auto next = static_cast<int>(*version); next < kSchemaVersion; ++next) {
    auto transaction = Transaction::Begin(database);
    if (!transaction) return std::move(transaction).error();
    if (auto changed = database.Execute(kMigrations[static_cast<std::size_t>(next)]); !changed) {
      return std::move(changed).error().Wrap(Join("cannot migrate to schema ", next + 1));
    }
    if (auto marked = database.Execute(Join("PRAGMA user_version = ", next + 1)); !marked) {
      return marked;
    }
    if (auto committed = transaction->Commit(); !committed) return committed;
  }
  return {};
}

}  // namespace dunlin::controller
