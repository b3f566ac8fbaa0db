//! Tests of a client with `ciba-test-op`. The code is that of the README.

fn simulated() -> Result<(), Box<dyn std::error::Error>> {
    include!(concat!(env!("OUT_DIR"), "/simulated.rs"))
}

fn server() -> std::io::Result<()> {
    include!(concat!(env!("OUT_DIR"), "/server.rs"))
}

fn notifications() -> Result<(), ciba_test_op::ConfigError> {
    include!(concat!(env!("OUT_DIR"), "/notifications.rs"))
}

fn sans_io() -> Result<(), ciba_test_op::ConfigError> {
    include!(concat!(env!("OUT_DIR"), "/sans_io.rs"))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    simulated()?;
    server()?;
    notifications()?;
    sans_io()?;
    println!("authenticated: nobody, but every block ran");
    Ok(())
}
