#include "controller/state/database.h"

#include <sqlite3.h>

#include <utility>

#include "protocol/base/text.h"

namespace dunlin::controller {
namespace {

/// How long a statement waits for another process's lock, such as a backup's.
constexpr int kBusyTimeoutMilliseconds = 5000;

/// The one translation of SQLite's codes.
Error SqliteError(sqlite3* database, int code, std::string_view what) {
  ErrorCode translated = ErrorCode::kIo;
  switch (code & 0xFF) {  // the primary code of an extended one
    case SQLITE_FULL:
      translated = ErrorCode::kExhausted;
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      translated = ErrorCode::kUnavailable;
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      translated = ErrorCode::kCorruption;
      break;
    case SQLITE_CONSTRAINT:
      translated = ErrorCode::kAlreadyExists;
      break;
    case SQLITE_PERM:
    case SQLITE_AUTH:
      translated = ErrorCode::kPermissionDenied;
      break;
    default:  // SQLite's list is open
      break;
  }
  const char* text = database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code);
  return Error(translated, Join(what, ": ", text));
}

}  // namespace

Statement::~Statement() { sqlite3_finalize(handle_); }

Statement::Statement(Statement&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)),
      database_(other.database_),
      bind_error_(other.bind_error_) {}

Statement& Statement::Bind(int index, std::int64_t value) {
  if (int code = sqlite3_bind_int64(handle_, index, value)) bind_error_ = code;
  return *this;
}

Statement& Statement::Bind(int index, std::string_view text) {
  // A null pointer would bind NULL, and an empty view may hold one.
  const char* bytes = text.data() != nullptr ? text.data() : "";
  if (int code =
          sqlite3_bind_text64(handle_, index, bytes, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8)) {
    bind_error_ = code;
  }
  return *this;
}

Statement& Statement::Bind(int index, std::optional<std::int64_t> value) {
  return value ? Bind(index, *value) : BindNull(index);
}

Statement& Statement::BindNull(int index) {
  if (int code = sqlite3_bind_null(handle_, index)) bind_error_ = code;
  return *this;
}

Result<bool> Statement::Step() {
  if (bind_error_ != 0) return SqliteError(nullptr, bind_error_, "cannot bind a parameter");
  int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return SqliteError(database_, code, "the database refuses");
}

Result<void> Statement::Run() {
  for (;;) {
    auto row = Step();
    if (!row) return std::move(row).error();
    if (!*row) return {};
  }
}

std::int64_t Statement::Integer(int column) const { return sqlite3_column_int64(handle_, column); }

std::optional<std::int64_t> Statement::OptionalInteger(int column) const {
  if (sqlite3_column_type(handle_, column) == SQLITE_NULL) return std::nullopt;
  return Integer(column);
}

std::string Statement::Text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(handle_, column));
  if (bytes == nullptr) return "";
  return std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
}

Result<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  sqlite3* handle = nullptr;
  int code =
      sqlite3_open_v2(path.c_str(), &handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Database> database(new Database(handle));
  if (code != SQLITE_OK) return SqliteError(handle, code, Join("cannot open ", path));
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyTimeoutMilliseconds);
  // FULL: in WAL mode NORMAL may lose the last commits when the power fails, and a 202 promises.
  auto set_up = database->Execute(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;");
  if (!set_up) return std::move(set_up).error().Wrap(Join("cannot open ", path));
  return database;
}

Database::~Database() { sqlite3_close_v2(handle_); }

Result<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  int code =
      sqlite3_prepare_v2(handle_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) return SqliteError(handle_, code, Join("cannot prepare \"", sql, "\""));
  return Statement(statement, handle_);
}

Result<void> Database::Execute(const std::string& sql) {
  int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return SqliteError(handle_, code, "the database refuses");
  return {};
}

std::int64_t Database::changes() const { return sqlite3_changes64(handle_); }

Result<Transaction> Transaction::Begin(Database& database) {
  // IMMEDIATE takes the write lock at once, so that a later statement cannot fail for it.
  if (auto begun = database.Execute("BEGIN IMMEDIATE"); !begun) return std::move(begun).error();
  return Transaction(database);
}

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() {
  // SQLite may have rolled back already (a full disk); then this fails, harmlessly.
  if (database_ != nullptr) (void)database_->Execute("ROLLBACK");
}

Result<void> Transaction::Commit() {
  auto committed = database_->Execute("COMMIT");
  if (committed) database_ = nullptr;
  return committed;
}

}  // namespace dunlin::controller
