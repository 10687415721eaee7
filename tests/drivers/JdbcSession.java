// What BI tools do through pgjdbc, told as text.
//
// Reads lines "TASK URL" from standard input and answers each with what it saw, one line an
// observation, and a line that holds only a dot. One process plays all tasks: a JVM and the
// compiler take seconds to start.

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Array;
import java.sql.BatchUpdateException;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Types;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;

final class JdbcSession {
    private static final Map<String, Task> TASKS = new TreeMap<>();
    private static Connection kept; // by a task, for the next one
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    static {
        TASKS.put("reads", JdbcSession::reads);
        TASKS.put("parameters", JdbcSession::parameters);
        TASKS.put("cursors", JdbcSession::cursors);
        TASKS.put("writes", JdbcSession::writes);
        TASKS.put("batches", JdbcSession::batches);
        TASKS.put("errors", JdbcSession::errors);
        TASKS.put("calls", JdbcSession::calls);
        TASKS.put("session", JdbcSession::session);
        TASKS.put("copy", JdbcSession::copy);
        TASKS.put("objects", JdbcSession::largeObjects);
        TASKS.put("timeout", JdbcSession::timeout);
        TASKS.put("metadata", JdbcSession::metadata);
        TASKS.put("console", JdbcSession::console);
        TASKS.put("hit-statement", JdbcSession::hitStatement);
        TASKS.put("hit-prepared", JdbcSession::hitPrepared);
        TASKS.put("hit-fetched", JdbcSession::hitFetched);
        TASKS.put("change", JdbcSession::change);
        TASKS.put("dbeaver", JdbcSession::dbeaver);
        TASKS.put("rest", JdbcSession::rest);
        TASKS.put("why", JdbcSession::why);
        TASKS.put("outlast", JdbcSession::outlast);
    }

    private interface Task {
        void run(Connection connection) throws SQLException, IOException;
    }

    private interface Step {
        void run() throws SQLException;
    }

    public static void main(String[] arguments) throws IOException {
        BufferedReader orders =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String order = orders.readLine(); order != null; order = orders.readLine()) {
            String[] words = order.split(" ", 2);
            try {
                Connection connection =
                        kept == null ? DriverManager.getConnection(words[1]) : kept;
                kept = null;
                try {
                    TASKS.get(words[0]).run(connection);
                } finally {
                    if (kept == null) {
                        connection.close();
                    }
                }
            } catch (SQLException | IOException | RuntimeException failure) {
                failure.printStackTrace();
                say("failed", failure);
            }
            OUT.println(".");
        }
    }

    private static void say(String what, Object value) {
        String text = what + ": " + value;
        OUT.println(text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r"));
    }

    private static String text(Object value) throws SQLException {
        if (value instanceof byte[] bytes) {
            return HexFormat.of().formatHex(bytes);
        }
        if (value instanceof Array array) {
            return array.getBaseTypeName() + Arrays.deepToString((Object[]) array.getArray());
        }
        return String.valueOf(value);
    }

    private static void show(String what, ResultSet rows) throws SQLException {
        say(what, columns(rows.getMetaData()));
        while (rows.next()) {
            showRow(what, rows);
        }
        rows.close();
    }

    private static String columns(ResultSetMetaData columns) throws SQLException {
        StringBuilder head = new StringBuilder();
        for (int i = 1; i <= columns.getColumnCount(); i++) {
            head.append(columns.getColumnLabel(i)).append(' ').append(columns.getColumnTypeName(i));
            head.append('(').append(columns.getPrecision(i)).append(',').append(columns.getScale(i));
            head.append(") ").append(columns.getColumnClassName(i)).append("; ");
        }
        return head.toString();
    }

    private static void showRow(String what, ResultSet rows) throws SQLException {
        StringBuilder line = new StringBuilder();
        for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
            Object value = rows.getObject(i);
            line.append(text(value));
            if (!(value instanceof byte[])) { // In binary their text is an address in the heap.
                line.append('/').append(rows.getString(i));
            }
            line.append("; ");
        }
        say(what, line);
    }

    private static void sayError(String what, Step step) throws SQLException {
        try {
            step.run();
            say(what, "no error");
        } catch (SQLException error) {
            say(what, error.getSQLState() + " " + error.getMessage());
        }
    }

    private static void query(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            show(sql, statement.executeQuery(sql));
        }
    }

    private static void several(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            for (boolean more = statement.execute(sql); more; more = statement.getMoreResults()) {
                show(sql, statement.getResultSet());
            }
        }
    }

    private static void update(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            say(sql, statement.executeUpdate(sql));
        }
    }

    /** What a dashboard does: the same questions again, past the threshold of server-side plans. */
    private static void reads(Connection connection) throws SQLException {
        for (boolean automatic : new boolean[] {true, false}) {
            connection.setAutoCommit(automatic);
            for (int round = 0; round < 3; round++) {
                query(connection, "select * from wide order by id");
                query(connection, "select count(*), sum(id), avg(id) from t where v like 'v1%'");
                query(connection, "select a, b from pair where b is null or b > 10 order by a");
                several(connection, "select 1; select a from pair order by a limit 1");
                if (!automatic) {
                    connection.commit();
                }
            }
        }
    }

    private static void parameters(Connection connection) throws SQLException {
        String byId = "select * from t where id = ? and v <> ? order by id";
        try (PreparedStatement statement = connection.prepareStatement(byId)) {
            for (int round = 0; round < 8; round++) {
                statement.setInt(1, 1 + round / 4);
                statement.setString(2, "v3");
                show("by id", statement.executeQuery());
            }
            statement.setNull(1, Types.INTEGER);
            show("by null", statement.executeQuery());
            statement.setLong(1, 7);
            show("by long", statement.executeQuery());
        }
        String wide = "select id, n, d, tz, u, a, by, j, b, f8 from wide where d < ? and tz <= ?"
                + " and n = ? and u = ? and a = ? and b = ?";
        try (PreparedStatement statement = connection.prepareStatement(wide)) {
            sayError("described", () -> say("wide", columns(statement.getMetaData())));
            for (int round = 0; round < 7; round++) {
                statement.setObject(1, LocalDate.of(2024, 3, 1));
                statement.setObject(2, OffsetDateTime.parse("2024-02-29T12:34:56Z"));
                statement.setBigDecimal(3, new java.math.BigDecimal("1.5"));
                statement.setObject(4, new UUID(0, 1));
                statement.setArray(5, connection.createArrayOf("int4", new Integer[] {1, 2, null}));
                statement.setBoolean(6, true);
                // The simple protocol writes an array's type where PostgreSQL expects none.
                sayError("wide", () -> show("wide", statement.executeQuery()));
            }
        }
    }

    /** Row-limited portals: read in steps, left in the middle, two at once. */
    private static void cursors(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        for (int round = 0; round < 3; round++) {
            try (Statement first = connection.createStatement();
                    PreparedStatement second =
                            connection.prepareStatement("select v from t where id < ? order by id")) {
                first.setFetchSize(400);
                second.setFetchSize(7);
                second.setInt(1, 20);
                ResultSet outer = first.executeQuery("select id from t order by id");
                ResultSet inner = second.executeQuery();
                long sum = 0;
                while (outer.next()) {
                    sum += outer.getInt(1);
                    if (outer.getRow() % 100 == 0 && inner.next()) {
                        showRow("inner", inner);
                    }
                }
                say("sum", sum);
                show("rest", inner);
                first.setMaxRows(30);
                show("limited", first.executeQuery("select id from t order by id"));
                ResultSet left = first.executeQuery("select v from t order by id desc");
                left.next();
                showRow("left", left);
            }
            connection.commit();
        }
        connection.setAutoCommit(true);
        try (Statement statement = connection.createStatement(
                ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
            ResultSet rows = statement.executeQuery("select id, v from t order by id");
            rows.last();
            showRow("last of " + rows.getRow(), rows);
            rows.absolute(3);
            rows.updateString(2, "three");
            rows.updateRow();
            showRow("updated", rows);
            update(connection, "update t set v = 'v3' where id = 3");
        }
    }

    private static void writes(Connection connection) throws SQLException {
        query(connection, "select * from empty");
        connection.setAutoCommit(false);
        update(connection, "insert into empty values (1, 'one'), (2, 'two')");
        query(connection, "select * from empty order by id");
        Savepoint before = connection.setSavepoint();
        update(connection, "delete from empty where id = 1");
        query(connection, "select * from empty order by id");
        connection.rollback(before);
        query(connection, "select * from empty order by id");
        connection.commit();
        query(connection, "select * from empty order by id");
        update(connection, "update empty set note = 'zwei' where id = 2");
        connection.rollback();
        query(connection, "select * from empty order by id");
        connection.setAutoCommit(true);
        try (PreparedStatement statement = connection.prepareStatement(
                "insert into empty values (?, ?)", Statement.RETURN_GENERATED_KEYS)) {
            statement.setInt(1, 3);
            statement.setString(2, "three");
            say("inserted", statement.executeUpdate());
            show("keys", statement.getGeneratedKeys());
        }
        query(connection, "select * from empty order by id");
        update(connection, "delete from empty");
        query(connection, "select * from empty order by id");
    }

    private static void batches(Connection connection) throws SQLException {
        for (boolean automatic : new boolean[] {true, false}) {
            connection.setAutoCommit(automatic);
            query(connection, "select count(*) from empty");
            try (PreparedStatement statement =
                    connection.prepareStatement("insert into empty values (?, ?)")) {
                for (int id = 1; id <= 300; id++) {
                    statement.setInt(1, id);
                    statement.setString(2, "n" + id);
                    statement.addBatch();
                }
                say("batch", Arrays.toString(statement.executeBatch()));
                if (!automatic) {
                    connection.commit();
                }
                query(connection, "select count(*), max(note) from empty");
                for (int id = 301; id >= 299; id--) {
                    statement.setInt(1, id);
                    statement.setString(2, "again");
                    statement.addBatch();
                }
                sayError("twice", () -> {
                    try {
                        statement.executeBatch();
                    } catch (BatchUpdateException error) {
                        say("counts", Arrays.toString(error.getUpdateCounts()));
                        throw error.getNextException();
                    }
                });
            }
            if (!automatic) {
                connection.rollback();
            }
            try (Statement statement = connection.createStatement()) {
                statement.addBatch("update empty set note = 'changed' where id < 10");
                statement.addBatch("delete from empty where id > 250");
                say("mixed", Arrays.toString(statement.executeBatch()));
            }
            query(connection, "select note, count(*) from empty where id < 20 group by 1 order by 1");
            update(connection, "delete from empty");
        }
        connection.commit();
        query(connection, "select count(*) from empty");
    }

    private static void errors(Connection connection) throws SQLException {
        sayError("syntax", () -> query(connection, "selec 1"));
        sayError("table", () -> query(connection, "select * from nowhere"));
        sayError("division", () -> query(connection, "select 1 / (a - a) from pair"));
        query(connection, "select count(*) from pair");
        connection.setAutoCommit(false);
        query(connection, "select count(*) from pair");
        sayError("in a transaction", () -> query(connection, "select 1 / (a - a) from pair"));
        sayError("after it", () -> query(connection, "select count(*) from pair"));
        connection.rollback();
        query(connection, "select count(*) from pair");
        try (Statement statement = connection.createStatement()) {
            statement.execute("select noisy(v) from t where id = 1");
            for (SQLWarning w = statement.getWarnings(); w != null; w = w.getNextWarning()) {
                say("warning", w.getSQLState() + " " + w.getMessage());
            }
        }
    }

    private static void calls(Connection connection) throws SQLException {
        for (String name : new String[] {"upper", "noisy"}) {
            connection.setAutoCommit(name.equals("upper"));
            try (CallableStatement call = connection.prepareCall("{? = call " + name + "(?)}")) {
                call.registerOutParameter(1, Types.VARCHAR);
                call.setString(2, "abc");
                sayError(name, () -> {
                    call.execute();
                    say(name, call.getString(1) + " " + call.getWarnings());
                });
            }
        }
        connection.rollback();
    }

    /** What pools and tools set, and whether what is read afterwards follows. */
    private static void session(Connection connection) throws SQLException {
        connection.setSchema("s1");
        query(connection, "select a from sh");
        connection.setSchema("s2");
        query(connection, "select a from sh");
        say("schema", connection.getSchema() + " in a database of " + connection.getCatalog().length());
        connection.setClientInfo("ApplicationName", "a tool");
        update(connection, "set timezone = 'Asia/Tokyo'");
        query(connection, "select tz::text from public.wide order by id");
        update(connection, "set extra_float_digits = 0");
        query(connection, "select f8::text from public.wide order by id");
        connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
        query(connection, "select count(*) from public.pair");
        connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        connection.setReadOnly(true);
        connection.setAutoCommit(false);
        query(connection, "select count(*) from public.pair");
        sayError("read only", () -> update(connection, "delete from public.empty"));
        connection.rollback();
        connection.setReadOnly(false);
        connection.setAutoCommit(true);
        say("valid", connection.isValid(5));
        update(connection, "listen news");
        update(connection, "notify news, 'heard'");
        PGNotification[] heard = connection.unwrap(PGConnection.class).getNotifications(5000);
        say("heard", heard[0].getName() + " " + heard[0].getParameter());
    }

    private static void copy(Connection connection) throws SQLException, IOException {
        StringWriter read = new StringWriter();
        PGConnection own = connection.unwrap(PGConnection.class);
        say("out", own.getCopyAPI().copyOut("copy pair to stdout csv", read));
        say("text", read);
        query(connection, "select count(*) from empty");
        StringReader written = new StringReader("7,seven\n8,eight\n");
        say("in", own.getCopyAPI().copyIn("copy empty from stdin csv", written));
        query(connection, "select * from empty order by id");
        update(connection, "delete from empty");
    }

    private static void largeObjects(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        LargeObjectManager manager = connection.unwrap(PGConnection.class).getLargeObjectAPI();
        long number = manager.createLO();
        try (LargeObject object = manager.open(number)) {
            object.write("fast path".getBytes(StandardCharsets.UTF_8));
            object.seek(5);
            say("read", new String(object.read(10), StandardCharsets.UTF_8));
        }
        manager.delete(number);
        connection.commit();
    }

    private static void timeout(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            sayError("slow", () -> statement.executeQuery("select pg_sleep(30), a from pair"));
            show("quick", statement.executeQuery("select a from pair order by a"));
        }
    }

    /** What DBeaver, Metabase and Tableau ask before they show a schema. */
    private static void metadata(Connection connection) throws SQLException {
        DatabaseMetaData data = connection.getMetaData();
        say("product", data.getDatabaseProductName() + " " + data.getDatabaseProductVersion());
        say("words", data.getSQLKeywords());
        say("names", data.getMaxColumnNameLength() + " " + data.getIdentifierQuoteString());
        show("schemas", data.getSchemas());
        show("types of tables", data.getTableTypes());
        show("tables", data.getTables(null, "public", "%", new String[] {"TABLE", "VIEW"}));
        show("all tables", data.getTables(null, "s_", null, null));
        show("columns", data.getColumns(null, "public", "wide", null));
        show("primary keys", data.getPrimaryKeys(null, "public", "child"));
        show("imported", data.getImportedKeys(null, "public", "child"));
        show("exported", data.getExportedKeys(null, "public", "parent"));
        show("indexes", data.getIndexInfo(null, "public", "t", false, true));
        show("functions", data.getFunctions(null, "public", "%"));
        show("procedures", data.getProcedures(null, "public", "%"));
        show("arguments", data.getProcedureColumns(null, "public", "noisy", "%"));
        show("privileges", data.getTablePrivileges(null, "public", "pair"));
        show("types", data.getUDTs(null, "public", "%", null));
        show("best row", data.getBestRowIdentifier(null, "public", "t", 0, true));
        show("versions", data.getVersionColumns(null, "public", "t"));
    }

    private static void console(Connection connection) throws SQLException {
        DatabaseMetaData data = connection.getMetaData();
        say("product", data.getDatabaseProductName());
        say("user", data.getUserName());
        show("tables", data.getTables(null, "%", "%", null));
        show("schemas", data.getSchemas());
        connection.setAutoCommit(false);
        query(connection, "SHOW VERSION");
        query(connection, "show stats;");
        connection.commit();
        connection.setAutoCommit(true);
        try (PreparedStatement statement = connection.prepareStatement("SHOW QUERIES")) {
            for (int round = 0; round < 7; round++) {
                show("queries", statement.executeQuery());
            }
        }
        sayError("unknown", () -> query(connection, "SHOW NOTHING"));
        try (Statement statement = connection.createStatement()) {
            say("invalidated", statement.execute("INVALIDATE TABLE pair"));
        }
        say("valid", connection.isValid(5));
    }

    /** DBeaver's own questions, then a command in its editor, which reads no more than a page. */
    private static void dbeaver(Connection connection) throws SQLException, IOException {
        connection.setTransactionIsolation(Connection.TRANSACTION_READ_COMMITTED);
        say("isolation", connection.getTransactionIsolation());
        say("catalog", connection.getCatalog() + " " + connection.getSchema());
        for (String sql : Files.readAllLines(Path.of("tests/drivers/dbeaver.sql"))) {
            if (!sql.startsWith("--")) {
                sayError("asked", () -> askAsDbeaver(connection, sql));
            }
        }
        connection.setAutoCommit(false);
        for (String sql : new String[] {"SHOW STATS", "show tables", "SHOW HELP", "SELECT nothing"}) {
            sayError(sql, () -> askAsDbeaver(connection, sql));
            connection.rollback();
        }
        say("valid", connection.isValid(5));
    }

    private static void askAsDbeaver(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.setMaxRows(200);
            statement.setFetchSize(10);
            if (!statement.execute(sql)) {
                say("updated", statement.getUpdateCount());
                return;
            }
            ResultSet rows = statement.getResultSet();
            int count = 0;
            while (rows.next()) {
                rows.getString(1);
                count++;
            }
            say("columns", columns(rows.getMetaData()));
            say("rows", count);
        }
    }

    private static void hitStatement(Connection connection) throws SQLException {
        query(connection, "select v from t where id = 5");
    }

    private static void hitPrepared(Connection connection) throws SQLException {
        try (PreparedStatement statement =
                connection.prepareStatement("select v from t where id = ?")) {
            for (int round = 0; round < 7; round++) {
                statement.setInt(1, 5);
                show("prepared", statement.executeQuery());
            }
        }
    }

    private static void hitFetched(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(3);
            ResultSet rows = statement.executeQuery("select v from t where id < 9 order by id");
            while (rows.next()) { // No look at the columns: that asks the catalog between pages.
                say("fetched", rows.getString(1));
            }
        }
        connection.commit();
    }

    /** Ask until the answer is kept, and keep the connection: the next task goes on with it. */
    private static void rest(Connection connection) throws SQLException {
        update(connection, "set pgcache.notices = on");
        connection.setAutoCommit(false);
        askUntil(connection, 1, "pgcache; hit");
        kept = connection;
    }

    /** Ask on, while the server is out of reach. */
    private static void outlast(Connection connection) throws SQLException {
        askUntil(connection, 9, "detail=origin-unreachable");
    }

    /** One transaction a question, made anew for each as tools do it, until it was told so often. */
    private static void askUntil(Connection connection, int often, String verdict)
            throws SQLException {
        int told = 0;
        for (long end = System.nanoTime() + 60_000_000_000L; told < often; ) {
            try (PreparedStatement statement =
                    connection.prepareStatement("select v from t where id = ?")) {
                statement.setInt(1, 5);
                show("asked", statement.executeQuery());
                for (SQLWarning w = statement.getWarnings(); w != null; w = w.getNextWarning()) {
                    told += w.getMessage().contains(verdict) ? 1 : 0;
                }
            }
            connection.commit();
            if (System.nanoTime() > end) {
                throw new SQLException("only " + told + " times: " + verdict);
            }
        }
    }

    /** A tool that reads by pages asks why: what it asked before is closed in the same run. */
    private static void why(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        for (int round = 0; round < 3; round++) {
            String sql = "select nspname, v from pg_namespace, t where id = 5 order by nspname";
            for (String each : new String[] {sql, "show pgcache.last"}) {
                try (Statement statement = connection.createStatement()) {
                    statement.setFetchSize(2);
                    ResultSet rows = statement.executeQuery(each);
                    rows.next();
                    say("why", rows.getString(1));
                }
            }
            connection.commit();
        }
    }

    /** What one connection has read before is read anew once another has written. */
    private static void change(Connection reader) throws SQLException {
        String url = reader.getMetaData().getURL();
        try (Connection writer = DriverManager.getConnection(url);
                PreparedStatement read =
                        reader.prepareStatement("select name from parent where id = ?")) {
            writer.setAutoCommit(false);
            for (int round = 0; round < 8; round++) {
                read.setInt(1, 1);
                show("before", read.executeQuery());
                update(writer, "update parent set name = 'round " + round + "' where id = 1");
                show("not yet", read.executeQuery());
                writer.commit();
                show("now", read.executeQuery());
            }
            update(writer, "update parent set name = 'one' where id = 1");
            writer.commit();
        }
    }
}
