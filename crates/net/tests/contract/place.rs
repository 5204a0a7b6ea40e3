//! Where the two sides of a case are: in one loop, or on two hosts of a simulation.

use std::net::IpAddr;

use net::{Family, Stream, TcpListener, TcpStream};

#[cfg(feature = "sim")]
use super::place::jobs::Jobs;

/// The world of a case: a near side, which the case runs on, and a far side.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) near: Side,
    pub(crate) far: Side,
    /// Where a path of the kernel's is; a simulation has no files.
    #[cfg_attr(not(unix), expect(dead_code, reason = "no address is a path there"))]
    folder: std::rc::Rc<Folder>,
}

/// A side of a case, and its addresses.
#[derive(Clone)]
pub(crate) struct Side {
    place: Place,
    pub(crate) v4: IpAddr,
    /// `None` where the machine has no IPv6.
    pub(crate) v6: Option<IpAddr>,
}

#[derive(Clone)]
enum Place {
    Here,
    #[cfg(feature = "sim")]
    There(Jobs),
}

/// A socket of a side, which is used where that side is.
pub(crate) struct At<S> {
    place: Place,
    socket: Option<S>,
}

impl World {
    /// A connection: the near side has connected, and the far side accepted.
    pub(crate) async fn pair(&self) -> (At<TcpStream>, At<TcpStream>) {
        let (listener, address) = self.far.listen().await;
        let near = self.near.put(async move || TcpStream::connect(address).await.unwrap()).await;
        let (far, listener) = accept(listener).await;
        listener.close().await;
        (near, far)
    }

    /// A path that this case alone has.
    #[cfg(unix)]
    pub(crate) fn path(&self, name: &str) -> net::UnixAddr {
        net::UnixAddr::path(self.folder.0.join(name))
    }

    /// A name outside the file system that this case alone has.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn name(&self, name: &str) -> net::UnixAddr {
        use std::os::unix::ffi::OsStrExt;
        net::UnixAddr::Abstract(self.folder.0.join(name).as_os_str().as_bytes().to_vec())
    }
}

impl Side {
    /// Does something where this side is.
    pub(crate) async fn run<T: 'static>(&self, act: impl AsyncFnOnce() -> T + 'static) -> T {
        self.place.run(async move { act().await }).await
    }

    /// Makes a socket where this side is.
    pub(crate) async fn put<S: 'static>(&self, make: impl AsyncFnOnce() -> S + 'static) -> At<S> {
        At { place: self.place.clone(), socket: Some(self.run(make).await) }
    }

    /// A listener on a free port of this side, and its address.
    pub(crate) async fn listen(&self) -> (At<TcpListener>, std::net::SocketAddr) {
        let any = (self.v4, 0).into();
        let mut listener = self.put(async move || TcpListener::bind(any).unwrap()).await;
        let address = listener.with(async |listener| listener.local_addr().unwrap()).await;
        (listener, address)
    }
}

impl Place {
    async fn run<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
        match self {
            Place::Here => future.await,
            #[cfg(feature = "sim")]
            Place::There(jobs) => jobs.run(future).await,
        }
    }
}

impl<S: 'static> At<S> {
    /// Uses the socket where it is.
    pub(crate) async fn with<T: 'static>(
        &mut self,
        act: impl AsyncFnOnce(&mut S) -> T + 'static,
    ) -> T {
        let mut socket = self.socket.take().expect("used by one at a time");
        let used = self.place.run(async move {
            let value = act(&mut socket).await;
            (socket, value)
        });
        let (socket, value) = used.await;
        self.socket = Some(socket);
        value
    }

    /// Closes the socket where it is.
    pub(crate) async fn close(mut self) {
        let socket = self.socket.take();
        self.place.clone().run(async move { drop(socket) }).await;
    }

    /// Makes another of the socket, where it is.
    pub(crate) async fn map<T: 'static>(mut self, map: impl FnOnce(S) -> T + 'static) -> At<T> {
        let place = self.place.clone();
        let socket = self.socket.take().expect("used by one at a time");
        let socket = Some(place.run(async move { map(socket) }).await);
        At { place, socket }
    }
}

impl<S> Drop for At<S> {
    /// What a case leaves open is closed where it is, too late for anybody to see.
    fn drop(&mut self) {
        drop(self.socket.take());
    }
}

/// Accepts a connection where the listener is.
pub(crate) async fn accept<K: Family>(
    mut listener: At<net::Listener<K>>,
) -> (At<Stream<K>>, At<net::Listener<K>>) {
    let stream = listener.with(async |listener| listener.accept().await.unwrap().0).await;
    (At { place: listener.place.clone(), socket: Some(stream) }, listener)
}

/// Reads exactly so many bytes.
pub(crate) async fn read_exactly<K: Family>(stream: &mut Stream<K>, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut have = 0;
    while have < length {
        let read = stream.read(&mut bytes[have..]).await.unwrap();
        assert_ne!(read, 0, "the stream ends after {have} of {length} bytes");
        have += read;
    }
    bytes
}

/// Reads to the end of the stream.
pub(crate) async fn read_to_end<K: Family>(stream: &mut Stream<K>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.chunk().await.unwrap() {
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

/// Writes until there is no room, and says how many bytes that were.
pub(crate) fn fill<K: Family>(stream: &mut Stream<K>) -> usize {
    let bytes = [b'f'; 4096];
    let mut filled = 0;
    loop {
        match stream.try_write(&bytes) {
            Ok(written) => filled += written,
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                return filled;
            }
        }
        assert!(filled < crate::socket_util::LARGE, "nobody reads, and yet there is always room");
    }
}

/// Writes until that fails, and says with what.
pub(crate) async fn write_until_it_fails<K: Family>(stream: &mut Stream<K>) -> std::io::ErrorKind {
    loop {
        if let Err(error) = stream.write(b"!").await {
            return error.kind();
        }
        // Lets what is on its way arrive.
        net::sleep(std::time::Duration::from_millis(1)).await;
    }
}

/// Bytes that tell where they belong.
pub(crate) fn numbered(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at ^ (at >> 8)) as u8).collect()
}

/// A folder of its own, removed in the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> Folder {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("net-contract-{}-{number}", std::process::id());
        Folder(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A simulation has made none.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a case over every backend of the kernel.
#[cfg(target_os = "linux")]
pub(crate) fn over_the_kernel(case: impl AsyncFn(World) + Copy + 'static) {
    use std::net::{Ipv4Addr, Ipv6Addr};
    let has_v6 = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    crate::socket_util::on_every_backend(move || async move {
        let folder = Folder::new();
        std::fs::create_dir_all(&folder.0).unwrap();
        let v6 = has_v6.then_some(Ipv6Addr::LOCALHOST.into());
        let side = Side { place: Place::Here, v4: Ipv4Addr::LOCALHOST.into(), v6 };
        case(World { near: side.clone(), far: side, folder: folder.into() }).await;
    });
}

#[cfg(feature = "sim")]
mod simulation {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use net::sim::Sim;

    use super::*;

    /// Seeds that each case runs with.
    const SEEDS: std::ops::Range<u64> = 0..10;

    /// Runs a case on one host, over its loopback.
    pub(crate) fn on_one_host(case: impl AsyncFn(World) + Copy + 'static) {
        for seed in SEEDS {
            let mut sim = Sim::new(seed).descriptors(8192);
            sim.host("near", async move || {
                let v6 = Some(Ipv6Addr::LOCALHOST.into());
                let side = Side { place: Place::Here, v4: Ipv4Addr::LOCALHOST.into(), v6 };
                let folder = Folder::new().into();
                case(World { near: side.clone(), far: side, folder }).await;
                Ok(())
            });
            run(sim);
        }
    }

    /// Runs a case between two hosts.
    pub(crate) fn between_two_hosts(case: impl AsyncFn(World) + Copy + 'static) {
        for seed in SEEDS {
            let mut sim = Sim::new(seed).descriptors(8192);
            let jobs = Jobs::default();
            let to_do = jobs.clone();
            sim.service("far", async move || to_do.serve().await);
            let (v4, v6) = (sim.address("far"), Some(sim.address_v6("far")));
            let far = Side { place: Place::There(jobs), v4, v6 };
            sim.host("near", async move || {
                let (v4, v6) =
                    (Ipv4Addr::new(10, 0, 0, 2), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2));
                let near = Side { place: Place::Here, v4: v4.into(), v6: Some(v6.into()) };
                case(World { near, far: far.clone(), folder: Folder::new().into() }).await;
                Ok(())
            });
            assert_eq!(sim.address("near").to_string(), "10.0.0.2");
            run(sim);
        }
    }

    fn run(sim: Sim) {
        let report = sim.run().unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(report.open_sockets, 0, "the case has closed all of its sockets");
    }
}

#[cfg(feature = "sim")]
pub(crate) use simulation::{between_two_hosts, on_one_host};

/// Work for another host, whose loop is another one on this thread.
#[cfg(feature = "sim")]
mod jobs {
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::rc::Rc;
    use std::task::{Poll, Waker};

    type Job = Pin<Box<dyn Future<Output = ()>>>;

    /// A queue of futures that the other host polls.
    #[derive(Clone, Default)]
    pub(super) struct Jobs(Rc<RefCell<Queue>>);

    #[derive(Default)]
    struct Queue {
        jobs: VecDeque<Job>,
        server: Option<Waker>,
    }

    /// Where the value of a job is left, and who waits for it.
    struct Slot<T>(RefCell<(Option<T>, Option<Waker>)>);

    impl Jobs {
        /// Has the other host run `future`, and waits for its value.
        pub(super) async fn run<T: 'static>(&self, future: impl Future<Output = T> + 'static) -> T {
            let slot = Rc::new(Slot(RefCell::new((None, None))));
            let left = Rc::clone(&slot);
            let job = Box::pin(async move {
                let value = future.await;
                let waker = {
                    let (place, waker) = &mut *left.0.borrow_mut();
                    *place = Some(value);
                    waker.take()
                };
                waker.into_iter().for_each(Waker::wake);
            });
            let server = {
                let mut queue = self.0.borrow_mut();
                queue.jobs.push_back(job);
                queue.server.take()
            };
            server.into_iter().for_each(Waker::wake);
            poll_fn(|cx| {
                let (place, waker) = &mut *slot.0.borrow_mut();
                *waker = Some(cx.waker().clone());
                place.take().map_or(Poll::Pending, Poll::Ready)
            })
            .await
        }

        /// What the other host does.
        pub(super) async fn serve(&self) -> std::io::Result<()> {
            loop {
                let next = poll_fn(|cx| {
                    let mut queue = self.0.borrow_mut();
                    queue.server = Some(cx.waker().clone());
                    queue.jobs.pop_front().map_or(Poll::Pending, Poll::Ready)
                });
                drop(net::spawn(next.await));
            }
        }
    }
}
