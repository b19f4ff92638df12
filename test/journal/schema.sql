CREATE TABLE setting (name TEXT PRIMARY KEY, value ANY NOT NULL) WITHOUT ROWID, STRICT;

CREATE TABLE source (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, files INTEGER NOT NULL DEFAULT 0, brake TEXT) STRICT;

CREATE TABLE folder (
  id INTEGER PRIMARY KEY,
  source_id INTEGER NOT NULL REFERENCES source (id),
  parent_id INTEGER NOT NULL,
  name ANY NOT NULL,
  UNIQUE (source_id, parent_id, name)
) STRICT;

CREATE TABLE file (
  id INTEGER PRIMARY KEY,
  source_id INTEGER NOT NULL REFERENCES source (id),
  folder_id INTEGER NOT NULL REFERENCES folder (id),
  name ANY NOT NULL,
  seq INTEGER NOT NULL UNIQUE,
  present INTEGER NOT NULL,
  size INTEGER NOT NULL,
  mtime_ns INTEGER NOT NULL,
  ctime_ns INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  sha256 BLOB,
  crc32 INTEGER,
  UNIQUE (folder_id, name)
) STRICT;

CREATE TABLE target (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  selector TEXT NOT NULL,
  place TEXT NOT NULL,
  mark TEXT,
  held TEXT,
  cursor INTEGER NOT NULL,
  offer TEXT,
  offer_left INTEGER NOT NULL,
  left_ms INTEGER
) STRICT;

CREATE TABLE delivery (
  target_id INTEGER NOT NULL REFERENCES target (id),
  file_id INTEGER NOT NULL REFERENCES file (id),
  wanted_seq INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'postponed', 'parked', 'leaving')),
  priority INTEGER NOT NULL,
  since_ms INTEGER NOT NULL,
  due_ms INTEGER,
  attempts INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  look TEXT NOT NULL CHECK (look IN ('trust', 'entry', 'hash', 'receipt', 'remove', 'remove-in-doubt')),
  reason TEXT,
  PRIMARY KEY (target_id, file_id)
) WITHOUT ROWID, STRICT;

CREATE INDEX delivery_in_order ON delivery (target_id, state, priority, since_ms, file_id);

CREATE INDEX delivery_due ON delivery (target_id, due_ms) WHERE due_ms IS NOT NULL;

CREATE TABLE receipt (
  target_id INTEGER NOT NULL REFERENCES target (id),
  file_id INTEGER NOT NULL REFERENCES file (id),
  seq INTEGER NOT NULL,
  path ANY NOT NULL,
  remote_id TEXT NOT NULL,
  revision TEXT NOT NULL,
  size INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  mtime_ns INTEGER NOT NULL,
  at_ms INTEGER NOT NULL, is_altered INTEGER NOT NULL DEFAULT 0, is_left INTEGER NOT NULL DEFAULT 0, moving_to ANY,
  PRIMARY KEY (target_id, file_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE upload_session (
  target_id INTEGER NOT NULL REFERENCES target (id),
  file_id INTEGER NOT NULL REFERENCES file (id),
  seq INTEGER NOT NULL,
  session TEXT NOT NULL,
  PRIMARY KEY (target_id, file_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE history (
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  source_id INTEGER,
  file_id INTEGER,
  target_id INTEGER,
  event TEXT NOT NULL,
  detail TEXT NOT NULL
) STRICT;

CREATE INDEX history_of_file ON history (file_id, id) WHERE file_id IS NOT NULL;

CREATE TABLE lane_count (
  target_id INTEGER NOT NULL,
  state TEXT NOT NULL,
  files INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (target_id, state)
) WITHOUT ROWID, STRICT;

CREATE TRIGGER target_begins AFTER INSERT ON target BEGIN
  INSERT INTO lane_count VALUES
    (new.id, 'waiting', 0, 0), (new.id, 'postponed', 0, 0), (new.id, 'parked', 0, 0), (new.id, 'leaving', 0, 0), (new.id, 'delivered', 0, 0);
  END;

CREATE TRIGGER delivery_changes AFTER UPDATE OF state, bytes ON delivery WHEN old.state <> new.state OR old.bytes <> new.bytes BEGIN
  UPDATE lane_count SET files = files - 1, bytes = bytes - old.bytes WHERE target_id = old.target_id AND state = old.state;
  UPDATE lane_count SET files = files + 1, bytes = bytes + new.bytes WHERE target_id = new.target_id AND state = new.state;
  END;

CREATE TRIGGER receipt_changes AFTER UPDATE OF size ON receipt WHEN old.size <> new.size BEGIN
  UPDATE lane_count SET bytes = bytes - old.size + new.size WHERE target_id = new.target_id AND state = 'delivered';
  END;

CREATE TRIGGER receipt_ends AFTER DELETE ON receipt BEGIN
  UPDATE lane_count SET files = files - 1, bytes = bytes - old.size WHERE target_id = old.target_id AND state = 'delivered';
  END;

CREATE TRIGGER file_changes AFTER UPDATE OF present ON file WHEN old.present <> new.present BEGIN
  UPDATE source SET files = files + new.present - old.present WHERE id = new.source_id;
  END;

CREATE TABLE target_pace (
  target_id INTEGER PRIMARY KEY REFERENCES target (id),
  day TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  pause_until_ms INTEGER,
  pause_wait_ms INTEGER,
  pause_reason TEXT
  , month TEXT NOT NULL DEFAULT '', requests INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE TABLE folder_at_target (
  target_id INTEGER NOT NULL REFERENCES target (id),
  path BLOB NOT NULL,
  remote_id TEXT NOT NULL,
  PRIMARY KEY (target_id, path)
) WITHOUT ROWID, STRICT;

CREATE INDEX receipt_altered ON receipt (target_id) WHERE is_altered = 1;

CREATE INDEX file_by_inode ON file (inode);

CREATE INDEX receipt_moving ON receipt (target_id, moving_to) WHERE moving_to IS NOT NULL;

CREATE INDEX receipt_left ON receipt (target_id, path) WHERE is_left = 1;

CREATE TABLE folder_move (
  id INTEGER PRIMARY KEY,
  target_id INTEGER NOT NULL REFERENCES target (id),
  folder_id INTEGER NOT NULL REFERENCES folder (id),
  from_path ANY NOT NULL,
  to_path ANY NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE gone_copy (
  sha256 BLOB NOT NULL,
  file_id INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (sha256, file_id)
) WITHOUT ROWID, STRICT;

CREATE INDEX gone_copy_by_time ON gone_copy (at_ms);

CREATE INDEX file_large ON file (size) WHERE size >= 1048576;

CREATE TABLE known_mount (
  source_id INTEGER NOT NULL REFERENCES source (id),
  folder BLOB NOT NULL, mark TEXT,
  PRIMARY KEY (source_id, folder)
) WITHOUT ROWID, STRICT;
