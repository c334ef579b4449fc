#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace dunlin::controller {

/// One prepared SQL statement. Parameters are numbered from 1, columns from 0.
class Statement {
 public:
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  Statement(const Statement&) = delete;

  Statement& Bind(int index, std::int64_t value);
  Statement& Bind(int index, std::string_view text);
  /// NULL when there is no value.
  Statement& Bind(int index, std::optional<std::int64_t> value);
  Statement& BindNull(int index);

  /// true: there is a row to read; false: done.
  Result<bool> Step();
  /// Runs to the end; for statements without rows.
  Result<void> Run();

  std::int64_t Integer(int column) const;
  std::optional<std::int64_t> OptionalInteger(int column) const;
  std::string Text(int column) const;  // "" for NULL

 private:
  friend class Database;
  explicit Statement(sqlite3_stmt* handle, sqlite3* database)
      : handle_(handle), database_(database) {}

  sqlite3_stmt* handle_;
  sqlite3* database_;
  int bind_error_ = 0;
};

/// One connection to a SQLite file, set up for durability: WAL, synchronous FULL, foreign keys, a
/// busy timeout. Blocks; one thread at a time.
/// Errors: kExhausted when the disk is full, kIo or kUnavailable when it refuses, kCorruption,
/// kAlreadyExists for a broken uniqueness rule.
class Database {
 public:
  static Result<std::unique_ptr<Database>> Open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Result<Statement> Prepare(std::string_view sql);
  /// Any number of statements without parameters.
  Result<void> Execute(const std::string& sql);
  /// Rows changed by the last statement.
  std::int64_t changes() const;

 private:
  explicit Database(sqlite3* handle) : handle_(handle) {}
  sqlite3* handle_;
};

/// BEGIN IMMEDIATE now; ROLLBACK when destroyed without a successful Commit().
class Transaction {
 public:
  static Result<Transaction> Begin(Database& database);
  ~Transaction();
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;

  Result<void> Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace dunlin::controller
