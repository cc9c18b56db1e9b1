//! What the tests of this crate share: a schema of their own on the test server, and a proxy in front of it.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::str::FromStr;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use sqlx::postgres::PgConnectOptions;
use tenantry_core::{CreateOrg, OrgId, TenancyStore, UserId};
use tenantry_postgres::{Options, PostgresStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// The server's address. Tests never go without one.
pub(crate) fn url() -> String {
    std::env::var("TENANTRY_TEST_POSTGRES_URL")
        .expect("TENANTRY_TEST_POSTGRES_URL is not set: run `cargo xtask test`, which starts a server")
}

/// A schema that no other test uses, dropped with this value: the server may be one that its owner keeps.
pub(crate) struct TestSchema(String);

impl TestSchema {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self(format!("tenantry_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst)))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }
}

impl Drop for TestSchema {
    fn drop(&mut self) {
        let sql = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.0);
        // A runtime of its own: this may run inside the test's, or while it unwinds.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime
                .block_on(async {
                    let mut conn = <sqlx::PgConnection as sqlx::Connection>::connect(&url()).await?;
                    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await
                })
                .map_err(std::io::Error::other)
        });
        drop(dropping.join());
    }
}

/// A store in a schema of its own.
pub(crate) async fn fresh() -> (PostgresStore, TestSchema) {
    let schema = TestSchema::new();
    let store = Options::new().schema(schema.name()).migrate(true).max_connections(4).connect(&url()).await.unwrap();
    (store, schema)
}

/// A user's id that follows from a number.
pub(crate) fn usr(number: u128) -> UserId {
    UserId::from_uuid(uuid::Uuid::from_u128((7 << 76) | (8 << 60) | number)).unwrap()
}

/// A root organization, owned by [`usr`]`(1)`.
pub(crate) async fn org(store: &impl TenancyStore) -> OrgId {
    store.create_org(CreateOrg::new(usr(1))).await.unwrap().org.id
}

/// A proxy on loopback that counts what the client says, and cuts the connection where told.
pub(crate) struct Proxy {
    pub(crate) url: String,
    pub(crate) counts: Arc<Counts>,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Ends of a round trip: Sync, and simple queries.
    pub(crate) round_trips: AtomicUsize,
    /// Statements executed.
    pub(crate) statements: AtomicUsize,
    /// Statements executed outside a transaction, `BEGIN` itself not counted.
    pub(crate) outside: AtomicUsize,
    /// Statements prepared under a name.
    pub(crate) named: AtomicUsize,
    /// After so many further round trips of the client, cut; negative means never.
    pub(crate) cut_after: AtomicI64,
    /// Whether the message that ends that round trip still reaches the server.
    pub(crate) deliver_last: Mutex<bool>,
}

impl Counts {
    pub(crate) fn take(&self) -> (usize, usize) {
        (self.round_trips.swap(0, Ordering::SeqCst), self.statements.swap(0, Ordering::SeqCst))
    }

    /// Cut at the `k`-th round trip from now, counted from 1.
    pub(crate) fn cut_at(&self, k: i64, deliver: bool) {
        *self.deliver_last.lock().unwrap() = deliver;
        self.cut_after.store(k, Ordering::SeqCst);
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn upstream(options: &PgConnectOptions) -> Box<dyn Stream> {
    match options.get_socket() {
        Some(folder) => Box::new(UnixStream::connect(folder.join(format!(".s.PGSQL.{}", options.get_port()))).await.unwrap()),
        None => Box::new(TcpStream::connect((options.get_host(), options.get_port())).await.unwrap()),
    }
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        let options = PgConnectOptions::from_str(&url()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let database = options.get_database().unwrap_or("postgres").to_owned();
        let url = format!("postgres://{}@127.0.0.1:{port}/{database}?sslmode=disable", options.get_username());
        let counts = Arc::new(Counts { cut_after: AtomicI64::new(-1), ..Counts::default() });
        let shared = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = upstream(&options).await;
                tokio::spawn(forward(client, server, Arc::clone(&shared)));
            }
        });
        Self { url, counts }
    }
}

/// Carries one connection. Client messages are parsed, server bytes are passed on as they come.
async fn forward(client: TcpStream, server: Box<dyn Stream>, counts: Arc<Counts>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    let back = tokio::spawn(async move {
        let mut buffer = [0; 8192];
        while let Ok(n @ 1..) = from_server.read(&mut buffer).await {
            if to_client.write_all(&buffer[..n]).await.is_err() {
                break;
            }
        }
    });
    // The start-up message has no type.
    let mut head = [0; 4];
    if from_client.read_exact(&mut head).await.is_err() {
        return;
    }
    let mut body = vec![0; u32::from_be_bytes(head) as usize - 4];
    from_client.read_exact(&mut body).await.unwrap();
    to_server.write_all(&head).await.unwrap();
    to_server.write_all(&body).await.unwrap();
    let mut open = false;
    loop {
        let mut head = [0; 5];
        if from_client.read_exact(&mut head).await.is_err() {
            break;
        }
        let mut body = vec![0; u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize - 4];
        if from_client.read_exact(&mut body).await.is_err() {
            break;
        }
        let ends = matches!(head[0], b'S' | b'Q');
        match head[0] {
            b'Q' if body.starts_with(b"BEGIN") => open = true,
            b'Q' if body.starts_with(b"COMMIT") || body.starts_with(b"ROLLBACK") => open = false,
            b'Q' | b'E' if !open => drop(counts.outside.fetch_add(1, Ordering::SeqCst)),
            b'P' if body.first() != Some(&0) => drop(counts.named.fetch_add(1, Ordering::SeqCst)),
            _ => {}
        }
        counts.statements.fetch_add(usize::from(matches!(head[0], b'E' | b'Q')), Ordering::SeqCst);
        counts.round_trips.fetch_add(usize::from(ends), Ordering::SeqCst);
        if ends && counts.cut_after.load(Ordering::SeqCst) > 0 && counts.cut_after.fetch_sub(1, Ordering::SeqCst) == 1 {
            counts.cut_after.store(-1, Ordering::SeqCst);
            if *counts.deliver_last.lock().unwrap() {
                // The client is gone before the answer, the server has all of it.
                back.abort();
                let _sent = to_server.write_all(&head).await;
                let _sent = to_server.write_all(&body).await;
                let _sent = to_server.flush().await;
                drop(from_client);
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
            back.abort();
            return;
        }
        if to_server.write_all(&head).await.is_err() || to_server.write_all(&body).await.is_err() {
            break;
        }
    }
    back.abort();
}
