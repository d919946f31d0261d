global using Ramet.Abi;
global using Xunit;
