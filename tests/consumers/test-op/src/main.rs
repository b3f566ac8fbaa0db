//! Tests of somebody's own client, with `ciba-test-op` and `ciba-core`. The code is that of the
//! README.

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
    server()?;
    notifications()?;
    sans_io()?;
    println!("authenticated: nobody, but every block ran");
    Ok(())
}
