//! A proxy in front of Postgres that breaks the connection at a message of the client.

use std::future;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Where a message breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cut {
    /// The server does not get it.
    Before,
    /// The server gets half of it.
    Torn,
    /// The server gets it and acts, and its answer does not come back.
    After,
    /// The server gets it and acts, and half of its answer comes back, where it gives one.
    HalfAnswered,
}

/// Which message to cut, and how.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// How many messages are still to come, the one to cut included.
    left: usize,
    cut: Cut,
    /// Whether nobody gets through afterwards.
    stays_away: bool,
}

/// The proxy. It ends with the runtime, or when it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// Its address, with everything else as in the server's.
    pub(crate) url: String,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    server: PgConnectOptions,
    plan: Mutex<Option<Plan>>,
    /// The kind of the message that was cut.
    fired: Mutex<Option<&'static str>>,
    /// While it holds, nobody gets through, and who was through is cut off.
    away: watch::Sender<bool>,
    /// Connections to the server.
    live: AtomicUsize,
    /// Messages in either direction.
    traffic: AtomicU64,
    /// Messages of clients that the server has yet to answer.
    unanswered: AtomicI64,
    /// Transactions begun.
    begun: AtomicUsize,
    /// Something went wrong in the proxy itself.
    broken: AtomicBool,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Proxy {
    /// Starts one in front of this server. Connections through it carry this name.
    pub(crate) async fn start(url: &str, application: &str) -> Self {
        let server = PgConnectOptions::from_str(url).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = through(url, &server, listener.local_addr().unwrap().port(), application);
        let shared = Arc::new(Shared {
            server,
            plan: Mutex::default(),
            fired: Mutex::default(),
            away: watch::channel(false).0,
            live: AtomicUsize::new(0),
            traffic: AtomicU64::new(0),
            unanswered: AtomicI64::new(0),
            begun: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        });
        let for_all = Arc::clone(&shared);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Closed without a word, as by a machine in between whose other side is gone.
                if !*for_all.away.borrow() {
                    tokio::spawn(carry(client, Arc::clone(&for_all)));
                }
            }
        });
        Self { url, shared, listening }
    }

    /// Cuts the `k`-th message from now on, counted from 1.
    pub(crate) fn arm(&self, k: usize, cut: Cut, stays_away: bool) {
        *self.shared.fired.lock().unwrap() = None;
        *self.shared.plan.lock().unwrap() = Some(Plan { left: k, cut, stays_away });
    }

    /// Cuts no more, and lets everyone through again. The kind of the message that was cut, if one was.
    pub(crate) fn disarm(&self) -> Option<&'static str> {
        assert!(!self.shared.broken.load(Ordering::SeqCst), "the proxy itself is broken");
        *self.shared.plan.lock().unwrap() = None;
        self.shared.away.send_replace(false);
        self.shared.fired.lock().unwrap().take()
    }

    /// Cuts everyone off who is through now.
    pub(crate) async fn cut_all(&self) {
        self.shared.away.send_replace(true);
        while self.live() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.shared.away.send_replace(false);
    }

    /// How many connections lead to the server.
    pub(crate) fn live(&self) -> usize {
        self.shared.live.load(Ordering::SeqCst)
    }

    /// How many transactions clients have begun.
    pub(crate) fn begun(&self) -> usize {
        self.shared.begun.load(Ordering::SeqCst)
    }

    /// Waits until nothing moves any more. The driver's pool looks after a connection that was given back, behind the caller's back;
    /// what it says then belongs to no command.
    pub(crate) async fn quiet(&self) {
        const PAUSE: Duration = Duration::from_millis(2);
        let mut before = None;
        loop {
            let now = self.shared.traffic.load(Ordering::SeqCst);
            if before == Some(now) && self.shared.unanswered.load(Ordering::SeqCst) == 0 {
                return;
            }
            before = Some(now);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The server's address with the proxy in its place.
fn through(url: &str, server: &PgConnectOptions, port: u16, application: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("an address");
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let login = authority.rsplit_once('@').map_or_else(|| server.get_username(), |(login, _)| login);
    let database = server.get_database().unwrap_or("postgres");
    format!("{scheme}://{login}@127.0.0.1:{port}/{database}?sslmode=disable&application_name={application}")
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn connect(server: &PgConnectOptions) -> std::io::Result<Box<dyn Stream>> {
    Ok(match server.get_socket() {
        Some(folder) => Box::new(UnixStream::connect(folder.join(format!(".s.PGSQL.{}", server.get_port()))).await?),
        None => Box::new(TcpStream::connect((server.get_host(), server.get_port())).await?),
    })
}

/// Whole messages of one side, each with its head.
struct Messages<R> {
    from: R,
    buffer: Vec<u8>,
    /// Whether the next message begins with its kind: a client's first one does not.
    has_kind: bool,
}

impl<R: AsyncRead + Unpin> Messages<R> {
    const fn new(from: R, has_kind: bool) -> Self {
        Self { from, buffer: Vec::new(), has_kind }
    }

    /// Safe to drop while it waits: what has come stays in the buffer.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let kind = usize::from(self.has_kind);
            if let Some(length) = self.buffer.get(kind..kind + 4) {
                let length = kind + u32::from_be_bytes(length.try_into().unwrap()) as usize;
                if self.buffer.len() >= length {
                    self.has_kind = true;
                    return Some(self.buffer.drain(..length).collect());
                }
            }
            if !self.from.read_buf(&mut self.buffer).await.is_ok_and(|read| read > 0) {
                return None;
            }
        }
    }
}

/// What the protocol calls a client's message.
fn kind(message: &[u8], is_first: bool) -> &'static str {
    match message[0] {
        _ if is_first => "start-up",
        b'P' => "parse",
        b'B' => "bind",
        b'D' => "describe",
        b'E' => "execute",
        b'S' => "sync",
        b'Q' => "query",
        b'C' => "close",
        b'X' => "terminate",
        b'p' => "password",
        _ => "other",
    }
}

/// Counts a connection for as long as it is there, and what it leaves unanswered.
struct Link<'s> {
    shared: &'s Shared,
    unanswered: i64,
}

impl<'s> Link<'s> {
    fn new(shared: &'s Shared) -> Self {
        shared.live.fetch_add(1, Ordering::SeqCst);
        Self { shared, unanswered: 0 }
    }

    fn moved(&self) {
        self.shared.traffic.fetch_add(1, Ordering::SeqCst);
    }

    fn wait(&mut self, more: i64) {
        self.unanswered += more;
        self.shared.unanswered.fetch_add(more, Ordering::SeqCst);
    }
}

impl Drop for Link<'_> {
    fn drop(&mut self) {
        self.wait(-self.unanswered);
        self.shared.live.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits until nobody is to get through any more.
async fn cut_off(away: &mut watch::Receiver<bool>) {
    drop(away.wait_for(|away| *away).await);
}

/// Carries one connection. Both sides are closed when it returns.
async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    const READY: u8 = b'Z';
    /// Longer than any answer here takes, and short enough for one that never comes.
    const PATIENCE: Duration = Duration::from_secs(5);

    // Messages are small and wait for nothing.
    client.set_nodelay(true).unwrap();
    let Ok(server) = connect(&shared.server).await else { return };
    let mut link = Link::new(&shared);
    let mut away = shared.away.subscribe();
    let (from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = tokio::io::split(server);
    let (mut said, mut answers) = (Messages::new(from_client, false), Messages::new(from_server, true));
    let mut is_first = true;
    loop {
        tokio::select! {
            message = said.next() => {
                let Some(message) = message else { return };
                link.moved();
                let kind = kind(&message, is_first);
                is_first = false;
                let is_answered = ["sync", "query", "start-up"].contains(&kind);
                if kind == "query" && message[5..].starts_with(b"BEGIN") {
                    shared.begun.fetch_add(1, Ordering::SeqCst);
                }
                let Some(cut) = shared.due(kind) else {
                    link.wait(i64::from(is_answered));
                    if to_server.write_all(&message).await.is_err() {
                        return;
                    }
                    continue;
                };
                let part = match cut {
                    Cut::Before => 0,
                    Cut::Torn => message.len() / 2,
                    Cut::After | Cut::HalfAnswered => message.len(),
                };
                if to_server.write_all(&message[..part]).await.is_err() || to_server.flush().await.is_err() {
                    shared.broken.store(true, Ordering::SeqCst);
                }
                let mut answer = Vec::new();
                if part == message.len() && is_answered {
                    let whole = timeout(PATIENCE, async {
                        while let Some(more) = answers.next().await {
                            answer.extend_from_slice(&more);
                            if more[0] == READY {
                                return;
                            }
                        }
                        future::pending::<()>().await;
                    });
                    if whole.await.is_err() {
                        shared.broken.store(true, Ordering::SeqCst);
                    }
                }
                if cut == Cut::HalfAnswered {
                    drop(to_client.write_all(&answer[..answer.len() / 2]).await);
                }
                return;
            }
            answer = answers.next() => {
                let Some(answer) = answer else { return };
                link.moved();
                if answer[0] == READY {
                    link.wait(-1);
                }
                if to_client.write_all(&answer).await.is_err() {
                    return;
                }
            }
            () = cut_off(&mut away) => return,
        }
    }
}

impl Shared {
    /// Whether this message is the one to cut.
    fn due(&self, kind: &'static str) -> Option<Cut> {
        let mut plan = self.plan.lock().unwrap();
        let Plan { left, cut, stays_away } = (*plan)?;
        *plan = (left > 1).then_some(Plan { left: left - 1, cut, stays_away });
        if plan.is_some() {
            return None;
        }
        *self.fired.lock().unwrap() = Some(kind);
        if stays_away {
            self.away.send_replace(true);
        }
        Some(cut)
    }
}
