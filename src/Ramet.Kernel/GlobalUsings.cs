global using Ramet.Abi;
